import { checkNumber, yieldToEvents } from '@ostinato/core';
import type { Tokenizer } from '@ostinato/tokenizers';
import * as tf from '@tensorflow/tfjs-core';
import { batchesByLength, padRows, rowsTensor } from '../shared/token-rows.ts';
import { checkVocabulary } from '../shared/vocabulary.ts';
import { encodeWords } from './data.ts';
import type { SequenceTagger } from './model.ts';

/** Options of `tag`. */
export interface TagOptions {
  readonly model: SequenceTagger;
  readonly tokenizer: Tokenizer;
  /** Words of each sentence; a text is split at white space. */
  readonly sentences: readonly (string | readonly string[])[];
  /** Sentences read at once; the result does not depend on it. Default 64. */
  readonly batchSize?: number | undefined;
  /** Stops between batches: the rejection is the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** A sentence with the most probable tag of each word. */
export interface PredictedTags {
  readonly words: readonly string[];
  readonly tags: readonly string[];
  /** Of each tag. */
  readonly probabilities: readonly number[];
}

/**
 * Tags words, in the order of the sentences; a sentence without words gets no tags.
 *
 * @throws ArgumentError when the tokenizer is not the model's, or a word has no token
 */
export async function tag({
  model,
  tokenizer,
  sentences,
  batchSize = 64,
  signal,
}: TagOptions): Promise<PredictedTags[]> {
  checkVocabulary('tag', tokenizer, model.config.vocabularySize);
  const { labels } = model.config;
  const words = sentences.map(each => (typeof each === 'string' ? each.split(/\s+/u).filter(Boolean) : each));
  const encoded = words.map(each => encodeWords('tag', tokenizer, each));
  const rows = encoded.map(({ ids }) => ids);
  const logs = await tokenLogProbabilities(model, rows, { batchSize, signal });
  return words.map((each, i) => {
    const found = Array.from(encoded[i]!.firsts, first => {
      const row = logs[i]!.subarray(first * labels.length, (first + 1) * labels.length);
      const best = row.indexOf(Math.max(...row));
      return { tag: labels[best]!, probability: Math.exp(row[best]!) };
    });
    return { words: each, tags: found.map(one => one.tag), probabilities: found.map(({ probability }) => probability) };
  });
}

/** ln p of every tag at every token of every row, float32 [tokens · labels] each. */
export async function tokenLogProbabilities(
  model: SequenceTagger,
  rows: readonly Int32Array[],
  { batchSize, signal }: { readonly batchSize: number; readonly signal?: AbortSignal | undefined },
): Promise<Float32Array[]> {
  checkNumber('tag', 'batchSize', batchSize, { integer: true, min: 1 });
  const found = new Array<Float32Array>(rows.length);
  const size = model.config.labels.length;
  for (const indices of batchesByLength(rows, batchSize)) {
    await yieldToEvents(signal);
    const batch = padRows(indices.map(index => rows[index]!));
    const [, time] = batch.shape;
    const logs = tf.tidy(() => tf.logSoftmax(model.call(rowsTensor(batch), { lengths: batch.lengths }))); // [B, T, labels]
    const values = await logs.data();
    logs.dispose();
    for (const [row, index] of indices.entries()) {
      const start = row * time * size;
      found[index] = Float32Array.from(values.subarray(start, start + rows[index]!.length * size));
    }
  }
  return found;
}
