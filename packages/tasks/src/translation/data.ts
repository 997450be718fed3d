import { ArgumentError } from '@ostinato/core';
import { padSequences } from '@ostinato/data';
import * as tf from '@tensorflow/tfjs-core';
import type { Translator } from './model.ts';
import { checkTokenizers, encodeSource, type SentencePair, type TranslationTokenizers } from './tokenizers.ts';

/** Sentence pairs as ids: sources with their end, targets with beginning and end. */
export interface EncodedPairs {
  readonly sources: readonly Int32Array[];
  readonly targets: readonly Int32Array[];
  /** How many pairs were too long, and are not in it. */
  readonly leftOut: number;
}

/** A batch as tensors; they belong to the scope around. */
export interface PairTensors {
  /** int32 [batch, source] */
  readonly source: tf.Tensor;
  /** int32 [batch] */
  readonly sourceLengths: tf.Tensor;
  /** int32 [batch, time]: the target without its end. */
  readonly target: tf.Tensor;
  /** int32 [batch, time]: the target without its beginning, −1 behind its end. */
  readonly labels: tf.Tensor;
  /** Labels that count. */
  readonly tokens: number;
}

/** @throws ArgumentError when no pair is left, or the tokenizers are not those of the model */
export function encodePairs(
  where: string,
  pairs: readonly SentencePair[],
  {
    tokenizers,
    config,
    maximumLength = Infinity,
  }: {
    readonly tokenizers: TranslationTokenizers;
    readonly config: Translator['config'];
    readonly maximumLength?: number | undefined;
  },
): EncodedPairs {
  checkTokenizers(where, tokenizers, config);
  const sources: Int32Array[] = [];
  const targets: Int32Array[] = [];
  for (const pair of pairs) {
    const source = encodeSource(tokenizers.source, pair.source);
    const target = tokenizers.target.encode(pair.target, { addBeginning: true, addEnd: true });
    if (Math.max(source.length, target.length - 1) > maximumLength) continue;
    sources.push(source);
    targets.push(target);
  }
  if (sources.length > 0) return { sources, targets, leftOut: pairs.length - sources.length };
  throw new ArgumentError({
    where,
    rule: 'there must be at least one pair of sentences',
    got: pairs.length === 0 ? 'none' : `${pairs.length}, all longer than ${maximumLength} tokens`,
  });
}

/** The pairs of these indices. Call it in a tidy. */
export function pairTensors({ sources, targets }: EncodedPairs, indices: Iterable<number>): PairTensors {
  const rows = Array.from(indices);
  const source = padSequences(rows.map(row => sources[row]!));
  const target = padSequences(rows.map(row => targets[row]!.subarray(0, -1)));
  const labels = padSequences(
    rows.map(row => targets[row]!.subarray(1)),
    { paddingId: -1 },
  );
  return {
    source: tf.tensor2d(source.ids, source.shape, 'int32'),
    sourceLengths: tf.tensor1d(source.lengths, 'int32'),
    target: tf.tensor2d(target.ids, target.shape, 'int32'),
    labels: tf.tensor2d(labels.ids, labels.shape, 'int32'),
    tokens: labels.lengths.reduce((sum, length) => sum + length, 0),
  };
}
