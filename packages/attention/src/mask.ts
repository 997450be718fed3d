import { checkNumber, checkShape, ShapeError } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';

/** How many keys count in each row: numbers, or int32 [batch]. */
export type Lengths = ArrayLike<number> | tf.Tensor;

/** What queries may attend to. All of it applies together: a key counts where nothing hides it. */
export interface AttentionMask {
  /** A query attends to no later key. Default false. */
  readonly causal?: boolean | undefined;
  /**
   * How many keys come before the first query's own, for `causal` and `window`. Default: keys − queries, the queries' own are the last;
   * PyTorch's `is_causal` counts from the first instead, which is `causalOffset: 0`.
   */
  readonly causalOffset?: number | undefined;
  /** How many keys count in each row of the batch (right padding); the others are not read. Default: all. */
  readonly keyLengths?: Lengths | undefined;
  /**
   * A sliding window: query i attends to the keys nearer than this, |i − j| < window; with `causal` to the last `window` keys, its own
   * among them (Beltagy et al. 2020, arXiv:2004.05150, section 3.1). Default: no limit.
   */
  readonly window?: number | undefined;
  /**
   * bool, broadcastable to [batch, heads, queries, keys]: true where a query **may** attend, as in PyTorch's
   * `scaled_dot_product_attention` and Keras. The masks of its `nn.MultiheadAttention` say the opposite: `tf.logicalNot(mask)`.
   */
  readonly mask?: tf.Tensor | undefined;
  /** Added to the scaled scores: float32, broadcastable to [batch, heads, queries, keys]; it may have a gradient. */
  readonly bias?: tf.Tensor | undefined;
}

/** A mask as the op takes it. */
export interface ResolvedMask {
  readonly causal: boolean;
  readonly causalOffset: number;
  readonly keyLengths: tf.Tensor | undefined;
  readonly bias: tf.Tensor | undefined;
}

/** Everything that is no length and no causal mask becomes one bias. Makes tensors: call it in a tidy. */
export function resolveMask(
  where: string,
  { causal = false, causalOffset, keyLengths, window, mask, bias }: AttentionMask,
  { batch, queryTime, keyTime }: { batch: number; queryTime: number; keyTime: number },
): ResolvedMask {
  const offset = causalOffset ?? keyTime - queryTime;
  checkNumber(where, 'causalOffset', offset, { integer: true });
  if (window !== undefined) checkNumber(where, 'window', window, { integer: true, min: 1 });
  if (mask && mask.dtype !== 'bool') {
    throw new ShapeError({ where, rule: 'mask must have dtype bool, true where a query may attend', got: mask.dtype });
  }
  const biases: tf.Tensor[] = [];
  if (bias) biases.push(bias);
  if (mask) biases.push(hideWhereFalse(mask));
  if (window !== undefined) biases.push(hideWhereFalse(inWindow(window, { queryTime, keyTime, offset, causal })));
  return {
    causal,
    causalOffset: offset,
    keyLengths: readLengths(where, 'keyLengths', keyLengths, batch),
    bias: biases.length === 0 ? undefined : biases.reduce((sum, other) => tf.add(sum, other)),
  };
}

/** Lengths as a tensor int32 [batch]. */
export function readLengths(
  where: string,
  name: string,
  lengths: Lengths | undefined,
  batch: number,
): tf.Tensor | undefined {
  if (lengths === undefined) return undefined;
  const tensor = lengths instanceof tf.Tensor ? lengths : tf.tensor1d(Int32Array.from(lengths), 'int32');
  checkShape(where, name, tensor, { batch }, 'int32');
  return tensor;
}

function hideWhereFalse(mask: tf.Tensor): tf.Tensor {
  return tf.where(mask, 0, -Infinity);
}

/** bool [queryTime, keyTime] */
function inWindow(
  window: number,
  { queryTime, keyTime, offset, causal }: { queryTime: number; keyTime: number; offset: number; causal: boolean },
): tf.Tensor {
  const values = new Uint8Array(queryTime * keyTime);
  for (let query = 0; query < queryTime; query++) {
    for (let key = 0; key < keyTime; key++) {
      const age = query + offset - key;
      if (age < window && (causal || age > -window)) values[query * keyTime + key] = 1;
    }
  }
  return tf.tensor2d(values, [queryTime, keyTime], 'bool');
}
