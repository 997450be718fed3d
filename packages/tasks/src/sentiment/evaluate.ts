import { ArgumentError } from '@ostinato/core';
import { type ClassificationReport, classificationReport } from '@ostinato/metrics';
import type { Tokenizer } from '@ostinato/tokenizers';
import { checkVocabulary } from '../shared/vocabulary.ts';
import { logProbabilities } from './classify.ts';
import { type EncodedTexts, encodeExamples, type LabelledText } from './data.ts';
import type { TextClassifier } from './model.ts';

/** Options of `evaluate`. */
export interface EvaluateOptions {
  readonly model: TextClassifier;
  readonly tokenizer: Tokenizer;
  readonly examples: readonly LabelledText[];
  /** Texts read at once; the result does not depend on it. Default 64. */
  readonly batchSize?: number | undefined;
  /** Tokens behind this many are not read. Default: all are. */
  readonly maximumLength?: number | undefined;
  /** Stops between batches: the rejection is the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** How well a model tells classes apart; the classes of `confusion` and `perClass` are in the order of `labels`. */
export interface ClassifierEvaluation extends ClassificationReport {
  readonly labels: readonly string[];
  /** Mean negative log-likelihood of the right label. */
  readonly nats: number;
  readonly examples: number;
}

/**
 * Classifies examples and compares with their labels.
 *
 * @throws ArgumentError when there is no example, a label is not the model's, or the tokenizer is of another vocabulary
 */
export async function evaluate({
  model,
  tokenizer,
  examples,
  batchSize = 64,
  maximumLength = Infinity,
  signal,
}: EvaluateOptions): Promise<ClassifierEvaluation> {
  checkVocabulary('evaluate', tokenizer, model.config.vocabularySize);
  const { labels } = model.config;
  const encoded = encodeExamples('evaluate', examples, { tokenizer, labels, maximumLength });
  return evaluateEncoded(model, encoded, { batchSize, signal });
}

/** `evaluate` of examples that are encoded already. */
export async function evaluateEncoded(
  model: TextClassifier,
  { rows, classes }: EncodedTexts,
  options: { readonly batchSize: number; readonly signal?: AbortSignal | undefined },
): Promise<ClassifierEvaluation> {
  if (rows.length === 0) {
    throw new ArgumentError({ where: 'evaluate', rule: 'there must be at least one example', got: 'none' });
  }
  const { labels } = model.config;
  const logs = await logProbabilities(model, rows, options);
  const predictions = logs.map(row => row.indexOf(Math.max(...row)));
  const nats = -logs.reduce((sum, row, i) => sum + row[classes[i]!]!, 0) / rows.length;
  const report = classificationReport(classes, predictions, { numClasses: labels.length });
  return { ...report, labels, nats, examples: rows.length };
}
