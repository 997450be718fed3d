import * as tf from '@tensorflow/tfjs-core';
import { checkNumber } from '../check.ts';
import { ShapeError } from '../errors.ts';
import { type FusedOp, hasKernel, runFused, runKernel } from '../op.ts';
import { selectWhere } from '../select-where.ts';
import { type Key, threefry } from '../threefry.ts';

/** Kernel contract of `dropout`. The op is linear and symmetric, so its gradient is itself. */
const dropoutOp: FusedOp = {
  kernelName: 'OstinatoDropout',
  inputs: ['input'],
  savedOutputs: [false],
  gradient([dOutput], _saved, attributes) {
    const [dInput] = runKernel('OstinatoDropout', { input: dOutput! }, attributes);
    return { input: dInput! };
  },
};

/** Options of `dropout`. */
export interface DropoutOptions {
  /** Probability of a zero, 0 ≤ rate < 1. */
  readonly rate: number;
  /** Key of the random stream: `rng.key`. The same key gives the same mask on every engine. */
  readonly key: Key;
}

/**
 * Second word of the counters of masks. `Rng` keeps bit 31 clear for the words that it draws and sets lower bits beside it for the
 * keys that it splits off, so no mask is made of words that are used elsewhere.
 */
const maskCounter = 0x80000000;

/** Values of a dropout mask: 0, or 1 / (1 − rate), for `size` elements in row-major order. */
export function dropoutMask(size: number, { rate, key }: DropoutOptions): Float32Array {
  const mask = new Float32Array(size);
  const kept = 1 / (1 - rate);
  for (let i = 0; i < size; i += 2) {
    const [even, odd] = threefry(key, i / 2, maskCounter);
    mask[i] = (even >>> 8) / 2 ** 24 >= rate ? kept : 0;
    if (i + 1 < size) mask[i + 1] = (odd >>> 8) / 2 ** 24 >= rate ? kept : 0;
  }
  return mask;
}

/**
 * Inverted dropout: y = m ∘ x / (1 − rate), where each mᵢ is 1 with probability 1 − rate and 0 otherwise.
 *
 * A dropped element is 0 even where x is NaN or infinite.
 *
 * Srivastava et al. 2014, "Dropout", JMLR 15, section 4 (with the scaling moved from test to training).
 *
 * @returns float32, of the input's shape
 * @throws ShapeError when the input is not float32; ArgumentError when rate is outside [0, 1)
 */
export function dropout<T extends tf.Tensor>(input: T, { rate, key }: DropoutOptions): T {
  if (input.dtype !== 'float32') {
    throw new ShapeError({ where: 'dropout', rule: 'input must have dtype float32', got: input.dtype });
  }
  checkNumber('dropout', 'rate', rate, { min: 0, below: 1 });
  if (rate === 0) return tf.clone(input) as T;
  return tf.tidy(() => {
    if (hasKernel(dropoutOp.kernelName)) return runFused(dropoutOp, { input }, { rate, key })[0] as T;
    return applyMask(input, tf.tensor(dropoutMask(input.size, { rate, key }), input.shape, 'float32')) as T;
  });
}

/** m ∘ x, but 0 where the mask is, whatever x is there and whatever the gradient. `mask` is broadcast against `input`. */
export function applyMask(input: tf.Tensor, mask: tf.Tensor): tf.Tensor {
  return selectWhere(tf.greater(mask, 0), tf.mul(input, mask), tf.zerosLike(input));
}
