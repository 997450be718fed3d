import { ArgumentError, checkShape } from '@ostinato/core';
import type * as tf from '@tensorflow/tfjs-core';
import { valuesInMainMemory } from './engine.ts';

/** Checks the dtype of a tensor of any shape. */
export function checkDtype(where: string, name: string, tensor: tf.Tensor, dtype: 'float32' | 'int32'): void {
  if ((tensor as tf.Tensor | undefined | null)?.dtype === dtype) return;
  const { shape } = (tensor as tf.Tensor | undefined | null) ?? {};
  checkShape(where, name, tensor, Object.fromEntries(Array.from(shape ?? [], (size, i) => [`axis${i}`, size])), dtype);
}

/**
 * Checks that int32 indices lie in 0 … size−1 or equal `except`. On a GPU they are trusted: reading them would wait for it.
 *
 * @throws ArgumentError with the first index that does not, and its place
 */
export function checkIndices(
  where: string,
  name: string,
  indices: tf.Tensor,
  { size, except }: { size: number; except?: number | undefined },
): void {
  if (!valuesInMainMemory()) return;
  const values = indices.dataSync();
  const at = values.findIndex(value => (value < 0 || value >= size) && value !== except);
  if (at < 0) return;
  const rule = `${name} must be in 0 … ${size - 1}${except === undefined ? '' : ` or ${except}`}`;
  throw new ArgumentError({ where, rule, got: `${values[at]} at position ${at}` });
}
