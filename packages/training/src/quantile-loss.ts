import { ArgumentError, checkChoice, checkNumber, ShapeError } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';
import type { LossOptions } from './losses.ts';

/** What `quantileLoss` takes. */
export interface QuantileLossArguments {
  /** float32 [..., Q]: one prediction for each level. */
  readonly prediction: tf.Tensor;
  /** float32 [...] */
  readonly target: tf.Tensor;
}

/** Options of `quantileLoss`. */
export interface QuantileLossOptions extends LossOptions {
  /** The Q levels q, each 0 < q < 1, rising. */
  readonly quantiles: readonly number[];
}

/** Checks the levels of quantiles: at least one, inside 0 … 1, rising. */
export function checkQuantiles(where: string, quantiles: readonly number[]): void {
  if (!Array.isArray(quantiles) || quantiles.length === 0) {
    throw new ArgumentError({ where, rule: 'there must be a quantile', got: 'none' });
  }
  for (const [i, quantile] of quantiles.entries()) {
    checkNumber(where, `quantiles[${i}]`, quantile, { above: i === 0 ? 0 : quantiles[i - 1]!, below: 1 });
  }
}

/**
 * Quantile (pinball) loss: Σ_q max(q e, (q − 1) e) with e = y − ŷ_q, over the levels q; reduced over the targets. Its expectation is
 * least where every ŷ_q is the q-quantile of y; the level 0.5 alone is half the absolute error.
 *
 * Koenker and Bassett 1978, "Regression quantiles", Econometrica 46.
 *
 * @returns float32: a scalar, or of the target's shape with reduction 'none'
 * @throws ShapeError when shapes do not fit; ArgumentError when levels are not inside 0 … 1 or do not rise
 */
export function quantileLoss(
  { prediction, target }: QuantileLossArguments,
  { quantiles, reduction = 'mean' }: QuantileLossOptions,
): tf.Tensor {
  const where = 'quantileLoss';
  checkQuantiles(where, quantiles);
  checkChoice(where, 'reduction', reduction, ['mean', 'sum', 'none']);
  const expected = [...target.shape, quantiles.length];
  if (!tf.util.arraysEqual(prediction.shape, expected)) {
    throw new ShapeError({
      where,
      rule: "prediction must have the target's shape and a last axis of quantiles",
      expected: `[${expected.join(', ')}]`,
      got: `[${prediction.shape.join(', ')}]`,
    });
  }
  return tf.tidy(() => {
    const levels = tf.tensor1d([...quantiles]);
    const error = tf.sub(tf.expandDims(target, -1), prediction); // [..., Q]
    const losses = tf.sum(tf.maximum(tf.mul(levels, error), tf.mul(tf.sub(levels, 1), error)), -1);
    return reduction === 'mean' ? tf.mean(losses) : reduction === 'sum' ? tf.sum(losses) : losses;
  });
}
