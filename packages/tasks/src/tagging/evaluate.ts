import { ArgumentError } from '@ostinato/core';
import { type ClassificationReport, classificationReport, isIob, type SpanReport, spanReport } from '@ostinato/metrics';
import type { Tokenizer } from '@ostinato/tokenizers';
import { checkVocabulary } from '../shared/vocabulary.ts';
import { type EncodedSentences, encodeSentences, type TaggedSentence } from './data.ts';
import type { SequenceTagger } from './model.ts';
import { tokenLogProbabilities } from './tag.ts';

/** Options of `evaluate`. */
export interface EvaluateOptions {
  readonly model: SequenceTagger;
  readonly tokenizer: Tokenizer;
  readonly sentences: readonly TaggedSentence[];
  /** Sentences read at once; the result does not depend on it. Default 64. */
  readonly batchSize?: number | undefined;
  /** Stops between batches: the rejection is the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** How well a model tags; the classes of `confusion` and `perClass` are in the order of `labels`. */
export interface TaggerEvaluation extends ClassificationReport {
  readonly labels: readonly string[];
  /** Mean negative log-likelihood of a word's tag. */
  readonly nats: number;
  /** Of the spans that the tags describe; null unless all of the model's tags are `O`, `B-…` or `I-…`. */
  readonly spans: SpanReport | null;
  readonly sentences: number;
  readonly words: number;
}

/**
 * Tags sentences and compares with their tags, word by word and span by span.
 *
 * @throws ArgumentError when there is no sentence, a tag is not the model's, or the tokenizer is of another vocabulary
 */
export async function evaluate({
  model,
  tokenizer,
  sentences,
  batchSize = 64,
  signal,
}: EvaluateOptions): Promise<TaggerEvaluation> {
  checkVocabulary('evaluate', tokenizer, model.config.vocabularySize);
  const { labels } = model.config;
  return evaluateEncoded(model, encodeSentences('evaluate', sentences, { tokenizer, labels }), { batchSize, signal });
}

/** `evaluate` of sentences that are encoded already. */
export async function evaluateEncoded(
  model: SequenceTagger,
  { rows, firsts, classes }: EncodedSentences,
  options: { readonly batchSize: number; readonly signal?: AbortSignal | undefined },
): Promise<TaggerEvaluation> {
  if (rows.length === 0) {
    throw new ArgumentError({ where: 'evaluate', rule: 'there must be at least one sentence', got: 'none' });
  }
  const { labels } = model.config;
  const logs = await tokenLogProbabilities(model, rows, options);
  let nats = 0;
  const targets: number[][] = [];
  const predictions: number[][] = [];
  for (const [i, places] of firsts.entries()) {
    targets.push(Array.from(places, place => classes[i]![place]!));
    predictions.push(
      Array.from(places, place => {
        const row = logs[i]!.subarray(place * labels.length, (place + 1) * labels.length);
        nats -= row[classes[i]![place]!]!;
        return row.indexOf(Math.max(...row));
      }),
    );
  }
  const words = targets.reduce((sum, each) => sum + each.length, 0);
  const named = (places: number[][]): string[][] => places.map(each => each.map(place => labels[place]!));
  return {
    ...classificationReport(targets.flat(), predictions.flat(), { numClasses: labels.length }),
    labels,
    nats: nats / words,
    spans: isIob(labels) ? spanReport(named(targets), named(predictions)) : null,
    sentences: rows.length,
    words,
  };
}
