import { ArgumentError, checkShape } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';

/** Number of valid steps of every row: int32 [batch], on the device or as numbers. */
export type Lengths = ArrayLike<number> | tf.Tensor;

/**
 * `lengths` as numbers; every step of every row when there are none.
 *
 * @throws ShapeError or ArgumentError when there is not one per row, or one lies outside 0 … time
 */
export function readLengths(
  where: string,
  lengths: Lengths | undefined,
  { batch, time }: { readonly batch: number; readonly time: number },
): Int32Array {
  if (lengths === undefined) return new Int32Array(batch).fill(time);
  const isTensor = lengths instanceof tf.Tensor;
  const shaped = isTensor ? lengths : { shape: [lengths.length] };
  checkShape(where, 'lengths', shaped, { batch }, isTensor ? 'int32' : undefined);
  const numbers = Array.from(isTensor ? lengths.dataSync() : lengths);
  const wrong = numbers.find(length => !Number.isInteger(length) || length < 0 || length > time);
  if (wrong === undefined) return Int32Array.from(numbers);
  throw new ArgumentError({ where, rule: `every length must be an integer in 0 … ${time}`, got: String(wrong) });
}

/** Ones inside every row and zeros behind it: float32 [batch, time, 1]. */
export function insideMask(lengths: Int32Array, time: number): tf.Tensor {
  const mask = new Float32Array(lengths.length * time);
  for (const [row, length] of lengths.entries()) mask.fill(1, row * time, row * time + length);
  return tf.tensor3d(mask, [lengths.length, time, 1]);
}

/** A one at step `steps[row]` of every row, and none where that is negative: float32 [batch, time, 1]. */
export function stepMask(steps: ArrayLike<number>, time: number): tf.Tensor {
  const mask = new Float32Array(steps.length * time);
  for (let row = 0; row < steps.length; row++) if (steps[row]! >= 0) mask[row * time + steps[row]!] = 1;
  return tf.tensor3d(mask, [steps.length, time, 1]);
}
