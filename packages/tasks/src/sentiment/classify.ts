import { checkNumber, yieldToEvents } from '@ostinato/core';
import type { Tokenizer } from '@ostinato/tokenizers';
import * as tf from '@tensorflow/tfjs-core';
import { batchesByLength, padRows, rowsTensor } from '../shared/token-rows.ts';
import { checkVocabulary } from '../shared/vocabulary.ts';
import { encodeTexts } from './data.ts';
import type { TextClassifier } from './model.ts';

/** Options of `classify`. */
export interface ClassifyOptions {
  readonly model: TextClassifier;
  readonly tokenizer: Tokenizer;
  readonly texts: readonly string[];
  /** Texts read at once; the result does not depend on it. Default 64. */
  readonly batchSize?: number | undefined;
  /** Tokens behind this many are not read. Default: all are. */
  readonly maximumLength?: number | undefined;
  /** Stops between batches: the rejection is the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** What a text was taken for. */
export interface Classification {
  /** The most probable label. */
  readonly label: string;
  /** Its probability. */
  readonly probability: number;
  /** Of every label, in the order of the model's labels. */
  readonly probabilities: Readonly<Record<string, number>>;
}

/**
 * The class of every text, in the order of the texts. A text without a token gets what the model says of nothing.
 *
 * @throws ArgumentError when the tokenizer is not the model's
 */
export async function classify({
  model,
  tokenizer,
  texts,
  batchSize = 64,
  maximumLength = Infinity,
  signal,
}: ClassifyOptions): Promise<Classification[]> {
  checkVocabulary('classify', tokenizer, model.config.vocabularySize);
  const { labels } = model.config;
  const rows = encodeTexts(tokenizer, texts, maximumLength);
  const logs = await logProbabilities(model, rows, { batchSize, signal });
  return logs.map(row => {
    const values = Array.from(row, Math.exp);
    const best = values.indexOf(Math.max(...values));
    return {
      label: labels[best]!,
      probability: values[best]!,
      probabilities: Object.fromEntries(labels.map((label, i) => [label, values[i]!])),
    };
  });
}

/** ln p of every class for every row, float32 [labels] each. */
export async function logProbabilities(
  model: TextClassifier,
  rows: readonly Int32Array[],
  { batchSize, signal }: { readonly batchSize: number; readonly signal?: AbortSignal | undefined },
): Promise<Float32Array[]> {
  checkNumber('classify', 'batchSize', batchSize, { integer: true, min: 1 });
  const found = new Array<Float32Array>(rows.length);
  const size = model.config.labels.length;
  for (const indices of batchesByLength(rows, batchSize)) {
    await yieldToEvents(signal);
    const batch = padRows(indices.map(index => rows[index]!));
    const logs = tf.tidy(() => tf.logSoftmax(model.call(rowsTensor(batch), { lengths: batch.lengths }))); // [B, labels]
    const values = await logs.data();
    logs.dispose();
    for (const [row, index] of indices.entries()) {
      found[index] = Float32Array.from(values.subarray(row * size, (row + 1) * size));
    }
  }
  return found;
}
