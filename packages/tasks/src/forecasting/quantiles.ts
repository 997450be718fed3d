import * as tf from '@tensorflow/tfjs-core';

/**
 * Numbers that do not cross, from any numbers r₀ … r_{2n}: the middle one is itself, and outwards each lies further out by the softplus
 * of its own.
 *
 *     q_n = r_n      q_{j+1} = q_j + ln(1 + e^{r_{j+1}}) for j ≥ n      q_{j−1} = q_j − ln(1 + e^{r_{j−1}}) for j ≤ n
 *
 * As the "incremental quantile functions" of Park et al. 2022, arXiv:2111.06581, with the median as the base.
 *
 * @param raw float32 [..., 2n + 1]
 * @returns float32 of the same shape, rising along the last axis
 */
export function orderedQuantiles(raw: tf.Tensor): tf.Tensor {
  const count = raw.shape.at(-1)!;
  if (count === 1) return tf.clone(raw);
  const middle = (count - 1) / 2;
  return tf.tidy(() => {
    const columns = tf.split(raw, count, -1); // each [..., 1]
    const upper: tf.Tensor[] = [columns[middle]!];
    const lower: tf.Tensor[] = [];
    for (let i = 1; i <= middle; i++) {
      upper.push(tf.add(upper.at(-1)!, tf.softplus(columns[middle + i]!)));
      lower.unshift(tf.sub(lower[0] ?? columns[middle]!, tf.softplus(columns[middle - i]!)));
    }
    return tf.concat([...lower, ...upper], -1);
  });
}

/**
 * The same order for numbers that a correction was added to: outwards from the middle, a bound is never inside the one before. Bounds
 * only move outwards, so that no interval holds less than before.
 *
 * @param quantiles [..., levels], changed in place
 */
export function uncross(quantiles: Float64Array, levels: number): Float64Array {
  const middle = (levels - 1) / 2;
  for (let start = 0; start < quantiles.length; start += levels) {
    for (let i = 1; i <= middle; i++) {
      const [low, high] = [start + middle - i, start + middle + i];
      quantiles[low] = Math.min(quantiles[low]!, quantiles[low + 1]!);
      quantiles[high] = Math.max(quantiles[high]!, quantiles[high - 1]!);
    }
  }
  return quantiles;
}
