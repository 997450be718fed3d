import { checkNumber } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';

/**
 * Slopes of ALiBi: 2^(−8/n), 2^(−16/n), … for n heads when n is a power of two; otherwise those of the power of two below, and then
 * every other one of the power of two above, as in the paper's code.
 *
 * Press, Smith, Lewis 2022, arXiv:2108.12409, section 3 and appendix A.
 *
 * @throws ArgumentError when numHeads is not a positive integer
 */
export function alibiSlopes(numHeads: number): number[] {
  checkNumber('alibiSlopes', 'numHeads', numHeads, { integer: true, min: 1 });
  const power = 2 ** Math.floor(Math.log2(numHeads));
  const slopes = Array.from({ length: power }, (_, i) => 2 ** ((-8 * (i + 1)) / power));
  const between = Array.from({ length: numHeads - power }, (_, i) => 2 ** ((-4 * (2 * i + 1)) / power));
  return [...slopes, ...between];
}

/** Options of `alibiBias`. */
export interface AlibiOptions {
  readonly numHeads: number;
  /** Tq */
  readonly queryTime: number;
  /** Tk. Default: queryTime. */
  readonly keyTime?: number | undefined;
  /** Position of the first query: how many keys come before it. Default: keyTime − queryTime, the queries' own keys are the last. */
  readonly offset?: number | undefined;
}

/**
 * Attention with linear biases: −slopeₕ · |i − j| for query i and key j, in place of any position in the vectors.
 *
 * The bias of `scaledDotProductAttention` or of a layer; it hides nothing, so a decoder is `causal` beside it.
 *
 * Press, Smith, Lewis 2022, arXiv:2108.12409, section 3.
 *
 * @returns float32 [numHeads, queryTime, keyTime]
 * @throws ArgumentError when a number is out of range
 */
export function alibiBias({ numHeads, queryTime, keyTime = queryTime, offset }: AlibiOptions): tf.Tensor3D {
  const slopes = alibiSlopes(numHeads);
  const first = checkedOffset('alibiBias', { queryTime, keyTime, offset });
  const values = new Float32Array(numHeads * queryTime * keyTime);
  let next = 0;
  for (const slope of slopes) {
    for (let query = first; query < first + queryTime; query++) {
      for (let key = 0; key < keyTime; key++) values[next++] = -slope * Math.abs(query - key);
    }
  }
  return tf.tensor3d(values, [numHeads, queryTime, keyTime]);
}

/** Checks the times of queries and keys; returns the position of the first query. */
export function checkedOffset(
  where: string,
  {
    queryTime,
    keyTime,
    offset = keyTime - queryTime,
  }: { queryTime: number; keyTime: number; offset?: number | undefined },
): number {
  checkNumber(where, 'queryTime', queryTime, { integer: true, min: 1 });
  checkNumber(where, 'keyTime', keyTime, { integer: true, min: 1 });
  checkNumber(where, 'offset', offset, { integer: true });
  return offset;
}
