import { checkNumber } from '@ostinato/core';

/**
 * Average over both sides, weighted by the distance: x̂ₜ = Σⱼ s^|t−j| xⱼ / Σⱼ s^|t−j|. Unlike the moving average of TensorBoard,
 * which looks back only, it does not lag behind a falling loss.
 *
 * A value that is not finite is passed through and left out of the average.
 *
 * @param smoothing s, 0 ≤ s < 1; 0 returns the values themselves
 * @returns as many numbers as `values` has
 * @throws ArgumentError when smoothing is outside [0, 1)
 */
export function smooth(values: readonly number[], smoothing: number): number[] {
  checkNumber('smooth', 'smoothing', smoothing, { min: 0, below: 1 });
  const past = decayingSums(values, smoothing);
  const future = decayingSums(values.toReversed(), smoothing).reverse();
  // Both sums have the value itself, with weight 1.
  return values.map((value, t) =>
    Number.isFinite(value)
      ? (past[t]!.sum + future[t]!.sum - value) / (past[t]!.weight + future[t]!.weight - 1)
      : value,
  );
}

/** Σⱼ≤ₜ s^(t−j) xⱼ over the finite values, and the sum of these weights. */
function decayingSums(values: readonly number[], decay: number): { sum: number; weight: number }[] {
  let [sum, weight] = [0, 0];
  return values.map(value => {
    if (Number.isFinite(value)) [sum, weight] = [decay * sum + value, decay * weight + 1];
    return { sum, weight };
  });
}
