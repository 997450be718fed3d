/**
 * Checks of values that kernels would follow as addresses.
 */

import { ArgumentError } from '@ostinato/core';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { KernelCall } from './kernel-call.ts';

/** Throws unless `indices` is int32 of `rows` values, each within 0 … size−1 or equal to `except`. */
export function checkIndices(
  call: KernelCall,
  check: { where: string; name: string; indices: TensorInfo; rows: number; size: number; except?: number | null },
): void {
  const { where, name, indices, rows, size, except = null } = check;
  const values = call.values(indices);
  if (indices.dtype !== 'int32' || values.length !== rows) {
    const got = `${indices.dtype} [${values.length}]`;
    throw new ArgumentError({ where, rule: `${name} must be int32 [rows]`, expected: `[${rows}]`, got });
  }
  for (let i = 0; i < rows; i++) {
    const value = values[i]!;
    if ((value >= 0 && value < size && Number.isInteger(value)) || value === except) continue;
    throw new ArgumentError({
      where,
      rule: `${name} must lie within 0 … ${size - 1}`,
      got: `${value} at position ${i}`,
    });
  }
}
