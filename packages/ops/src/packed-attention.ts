import { checkNumber, checkShape, hasKernel, ShapeError } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';
import {
  checkMasks,
  runAttention,
  type ScaledDotProductAttentionOptions,
  scaledDotProductAttention,
  wholeBias,
} from './attention.ts';

/** Arguments of `packedAttention`. */
export interface PackedAttentionArguments {
  /** Q, K and V side by side, float32 [B, T, (Hq + 2 Hk) D]: of every step all query heads, all key heads, all value heads. */
  readonly packed: tf.Tensor;
  /** As in `scaledDotProductAttention`: float32, broadcastable to [B, Hq, T, T]. */
  readonly bias?: tf.Tensor | undefined;
  /** As in `scaledDotProductAttention`: int32 [B]. */
  readonly keyLengths?: tf.Tensor | undefined;
}

/** The heads that are packed. */
export interface PackedHeads {
  /** Hq */
  readonly numHeads: number;
  /** Hk. Default: numHeads. */
  readonly numKeyHeads?: number | undefined;
}

/** Options of `packedAttention`. */
export interface PackedAttentionOptions extends PackedHeads, Omit<ScaledDotProductAttentionOptions, 'layout'> {}

/**
 * `scaledDotProductAttention` of a sequence to itself, on what one projection to queries, keys and values returns: nothing is split
 * or transposed.
 *
 * @returns float32 [B, T, Hq D]
 * @throws as `scaledDotProductAttention` does; ShapeError when the heads do not divide the width
 */
export function packedAttention(
  { packed, bias, keyLengths }: PackedAttentionArguments,
  { numHeads, numKeyHeads = numHeads, ...options }: PackedAttentionOptions,
): tf.Tensor {
  const where = 'packedAttention';
  const [batch, time, width] = checkPacked(where, packed, { numHeads, numKeyHeads });
  if (hasKernel('OstinatoAttention')) {
    checkMasks(where, { bias, keyLengths }, options, { batch, queryHeads: numHeads, queryTime: time, keyTime: time });
    const { scale = 1 / Math.sqrt(width), causal = false, causalOffset = 0, dropout: drop } = options;
    const offset = Math.min(Math.max(causalOffset, -time), time);
    return tf.tidy(() =>
      runAttention(
        { query: packed, bias: bias && wholeBias(bias), keyLengths },
        { scale, causal, causalOffset: offset, drop, layout: 'packed', numHeads, numKeyHeads },
      ),
    );
  }
  return tf.tidy(() => {
    const { query, key, value } = unpackedHeads(packed, { numHeads, numKeyHeads });
    const output = scaledDotProductAttention({ query, key, value, bias, keyLengths }, { ...options, layout: 'BTHD' });
    return tf.reshape(output, [batch, time, numHeads * width]);
  });
}

/** Batch, time and width of a head; one step of every row may come without an axis for time. */
export function checkPacked(
  where: string,
  packed: tf.Tensor,
  { numHeads, numKeyHeads }: { numHeads: number; numKeyHeads: number },
  orOneStep = false,
): [number, number, number] {
  checkNumber(where, 'numHeads', numHeads, { integer: true, min: 1 });
  checkNumber(where, 'numKeyHeads', numKeyHeads, { integer: true, min: 1 });
  const oneStep = orOneStep && packed.rank === 2;
  checkShape(where, 'packed', packed, { batch: null, ...(oneStep ? {} : { time: null }), width: null }, 'float32');
  const [batch, all] = [packed.shape[0]!, packed.shape.at(-1)!];
  const time = oneStep ? 1 : packed.shape[1]!;
  const width = all / (numHeads + 2 * numKeyHeads);
  if (numHeads % numKeyHeads !== 0) {
    const rule = 'numHeads must be a multiple of numKeyHeads';
    throw new ShapeError({ where, rule, got: `${numHeads} and ${numKeyHeads}` });
  }
  if (!Number.isInteger(width) || packed.size === 0) {
    const rule = `packed must be [batch, time, (${numHeads} + 2 · ${numKeyHeads}) width]`;
    throw new ShapeError({ where, rule, got: `[${packed.shape.join(', ')}]` });
  }
  return [batch, time, width];
}

/** Queries, keys and values [B, T, H, D]. Slices, since the stock kernel of a split is slow. */
export function unpackedHeads(
  packed: tf.Tensor,
  { numHeads, numKeyHeads }: { numHeads: number; numKeyHeads: number },
): { query: tf.Tensor; key: tf.Tensor; value: tf.Tensor } {
  const [batch, time, all] = packed.shape as [number, number, number];
  const width = all / (numHeads + 2 * numKeyHeads);
  const part = (first: number, heads: number): tf.Tensor =>
    tf.reshape(tf.slice(packed, [0, 0, first * width], [batch, time, heads * width]), [batch, time, heads, width]);
  return {
    query: part(0, numHeads),
    key: part(numHeads, numKeyHeads),
    value: part(numHeads + numKeyHeads, numKeyHeads),
  };
}
