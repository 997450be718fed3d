import { ArgumentError, checkNumber, yieldToEvents } from '@ostinato/core';
import type { Tokenizer } from '@ostinato/tokenizers';
import * as tf from '@tensorflow/tfjs-core';
import { padRows, rowsTensor } from '../shared/token-rows.ts';
import { checkVocabulary } from '../shared/vocabulary.ts';
import { logProbabilities } from './classify.ts';
import { encodeTexts } from './data.ts';
import type { TextClassifier } from './model.ts';

/** Options of `saliency` and `occlusion`. */
export interface ExplainOptions {
  readonly model: TextClassifier;
  readonly tokenizer: Tokenizer;
  readonly text: string;
  /** The class that is asked about. Default: the most probable one. */
  readonly label?: string | undefined;
}

/** A token, and how much it speaks for a class (above 0) or against it. */
export interface TokenScore {
  readonly token: string;
  readonly score: number;
}

/** Why a text was taken for a class. */
export interface Explanation {
  readonly label: string;
  /** Of the label. */
  readonly probability: number;
  readonly tokens: readonly TokenScore[];
}

/** Logits of one class, seen against the others: ln p − ln (1 − p). */
function margins(logits: tf.Tensor, place: number): tf.Tensor {
  const [batch, size] = logits.shape as [number, number];
  const own = tf.squeeze(tf.slice(logits, [0, place], [batch, 1]), [1]); // [B]
  const parts = [tf.slice(logits, [0, 0], [batch, place]), tf.slice(logits, [0, place + 1], [batch, size - place - 1])];
  const others = tf.concat(
    parts.filter(part => part.size > 0),
    1,
  );
  return tf.sub(own, tf.logSumExp(others, 1));
}

/** Gradient × input of every token of some rows: float32 [rows][time]. */
function gradientsTimesInput(model: TextClassifier, rows: readonly Int32Array[], place: number): Float32Array[] {
  const batch = padRows(rows);
  const [, time] = batch.shape;
  const values = tf.tidy(() => {
    const vectors = model.embed(rowsTensor(batch));
    const margin = (x: tf.Tensor): tf.Tensor => tf.sum(margins(model.classify(x, { lengths: batch.lengths }), place));
    return tf.sum(tf.mul(tf.grad(margin)(vectors), vectors), 2).dataSync(); // [B, T]
  });
  return rows.map((row, i) => Float32Array.from(values.subarray(i * time, i * time + row.length)));
}

/**
 * What each token contributes to a class by gradient × input: x_t · ∂/∂x_t (ln p − ln (1 − p)), with x_t the token's vector. For
 * a bag of vectors under a linear output the scores and the bias sum to the log-odds; otherwise it is their first order.
 *
 * Denil et al. 2014, arXiv:1412.6815; Shrikumar et al. 2017, arXiv:1605.01713, section 2.
 *
 * @throws ArgumentError when the label is not the model's
 */
export async function saliency(options: ExplainOptions): Promise<Explanation> {
  const { model, tokenizer, text } = options;
  const { row, place, label, probability } = await asked('saliency', options);
  const scores = row.length === 0 ? new Float32Array(0) : gradientsTimesInput(model, [row], place)[0]!;
  const names = tokenNames(tokenizer, text, row);
  return { label, probability, tokens: names.map((token, t) => ({ token, score: scores[t]! })) };
}

/**
 * What each token contributes to a class by leaving it out: how far the log-odds ln p − ln (1 − p) fall without it.
 *
 * Li et al. 2016, "Understanding neural networks through representation erasure", arXiv:1612.08220.
 *
 * @throws ArgumentError when the label is not the model's
 */
export async function occlusion(options: ExplainOptions): Promise<Explanation> {
  const { model, tokenizer, text } = options;
  const { row, place, label, probability, odds } = await asked('occlusion', options);
  const without = Array.from(row, (_, t) => row.filter((_token, other) => other !== t));
  const logs = await logProbabilities(model, without, { batchSize: 64 });
  const names = tokenNames(tokenizer, text, row);
  return { label, probability, tokens: names.map((token, t) => ({ token, score: odds - oddsOf(logs[t]!, place) })) };
}

/** ln p − ln (1 − p), finite: the rest is summed where p is 1 in float32. */
function oddsOf(logs: Float32Array, place: number): number {
  const rest = logs.reduce((sum, value, i) => (i === place ? sum : sum + Math.exp(value)), 0);
  return logs[place]! - Math.log(Math.max(rest, 1e-30));
}

async function asked(
  where: string,
  { model, tokenizer, text, label: given }: ExplainOptions,
): Promise<{ row: Int32Array; place: number; label: string; probability: number; odds: number }> {
  checkVocabulary(where, tokenizer, model.config.vocabularySize);
  const { labels } = model.config;
  const row = encodeTexts(tokenizer, [text])[0]!;
  const logs = (await logProbabilities(model, [row], { batchSize: 1 }))[0]!;
  const place = given === undefined ? logs.indexOf(Math.max(...logs)) : labels.indexOf(given);
  if (place < 0) {
    const expected = labels.map(known => JSON.stringify(known)).join(' | ');
    throw new ArgumentError({ where, rule: "label must be one of the model's", expected, got: JSON.stringify(given) });
  }
  return { row, place, label: labels[place]!, probability: Math.exp(logs[place]!), odds: oddsOf(logs, place) };
}

/** Tokens as people read them: the words of the text where white space separates tokens, so that unknown ones are named too. */
function tokenNames(tokenizer: Tokenizer, text: string, row: Int32Array): string[] {
  const words = text.split(/\s+/u).filter(Boolean);
  if (tokenizer.type === 'word' && words.length === row.length) return words;
  return Array.from(row, id => tokenizer.decode([id]).trim() || (tokenizer.idToToken(id) ?? ''));
}

/** Options of `tellingWords`. */
export interface TellingWordsOptions {
  readonly model: TextClassifier;
  readonly tokenizer: Tokenizer;
  readonly texts: readonly string[];
  /** Words of each class. Default 10. */
  readonly count?: number | undefined;
  /** Rarer words are left out. Default 3. */
  readonly minimumFrequency?: number | undefined;
  /** Texts read at once. Default 64. */
  readonly batchSize?: number | undefined;
  /** Stops between batches: the rejection is the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** A word that speaks for a class. */
export interface TellingWord extends TokenScore {
  /** How often it occurs. */
  readonly count: number;
}

/**
 * The words that speak most for each class: the mean, over all places where a word occurs in the texts, of its gradient × input
 * (see `saliency`), largest first. Unknown and other special tokens are left out.
 *
 * @throws ArgumentError when an option does not fit
 */
export async function tellingWords({
  model,
  tokenizer,
  texts,
  count = 10,
  minimumFrequency = 3,
  batchSize = 64,
  signal,
}: TellingWordsOptions): Promise<Record<string, TellingWord[]>> {
  const where = 'tellingWords';
  checkVocabulary(where, tokenizer, model.config.vocabularySize);
  checkNumber(where, 'count', count, { integer: true, min: 1 });
  checkNumber(where, 'minimumFrequency', minimumFrequency, { integer: true, min: 1 });
  checkNumber(where, 'batchSize', batchSize, { integer: true, min: 1 });
  const rows = encodeTexts(tokenizer, texts).filter(row => row.length > 0);
  rows.sort((a, b) => a.length - b.length);
  const { labels, vocabularySize } = model.config;
  const sums = labels.map(() => new Float64Array(vocabularySize));
  const counts = new Uint32Array(vocabularySize);
  for (const row of rows) for (const id of row) counts[id]!++;
  for (let start = 0; start < rows.length; start += batchSize) {
    const batch = rows.slice(start, start + batchSize);
    for (const place of labels.keys()) {
      await yieldToEvents(signal);
      const scores = gradientsTimesInput(model, batch, place);
      for (const [i, row] of batch.entries()) for (const [t, id] of row.entries()) sums[place]![id]! += scores[i]![t]!;
    }
  }
  const { specialTokens } = tokenizer;
  const { additional = [], ...roles } = specialTokens;
  const special = new Set<string | undefined>([...Object.values(roles), ...additional]);
  const words = [...counts.keys()].filter(
    id => counts[id]! >= minimumFrequency && !special.has(tokenizer.idToToken(id)),
  );
  return Object.fromEntries(
    labels.map((label, place) => {
      const mean = (id: number): number => sums[place]![id]! / counts[id]!;
      const best = words.toSorted((a, b) => mean(b) - mean(a)).slice(0, count);
      return [label, best.map(id => ({ token: tokenizer.decode([id]), score: mean(id), count: counts[id]! }))];
    }),
  );
}
