import { checkNumber } from '@ostinato/core';

/**
 * Exponential moving average with the bias of its zero start taken out, the smoothing of TensorBoard:
 * mₜ = s·mₜ₋₁ + (1 − s)·xₜ with m₀ = 0, and x̂ₜ = mₜ / (1 − sᵗ).
 *
 * A value that is not finite is passed through and left out of the average.
 *
 * @param smoothing s, 0 ≤ s < 1; 0 returns the values themselves
 * @returns as many numbers as `values` has
 * @throws ArgumentError when smoothing is outside [0, 1)
 */
export function smooth(values: readonly number[], smoothing: number): number[] {
  checkNumber('smooth', 'smoothing', smoothing, { min: 0, below: 1 });
  let mean = 0;
  let weight = 0;
  return values.map(value => {
    if (!Number.isFinite(value)) return value;
    mean = smoothing * mean + (1 - smoothing) * value;
    weight = smoothing * weight + (1 - smoothing); // = 1 − sᵗ
    return mean / weight;
  });
}
