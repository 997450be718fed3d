import { NonFiniteError } from '@ostinato/core';
import type { SeriesBatch } from '@ostinato/data';
import * as tf from '@tensorflow/tfjs-core';
import type { Forecaster } from './model.ts';
import { uncross } from './quantiles.ts';
import { prepareTargets, prepareWindows, restoreQuantiles, type WindowFrame } from './scaling.ts';

/** What the network says of windows, in its own numbers and without correction. */
export interface NetworkQuantiles {
  /** float32 [batch, horizon, targets, quantiles] */
  readonly quantiles: Float32Array;
  readonly frame: WindowFrame;
}

/** @param histories float64 [batch, historyLength, features] */
export async function networkQuantiles(
  where: string,
  model: Forecaster,
  histories: Float64Array,
): Promise<NetworkQuantiles> {
  const { inputLength, features } = model.config;
  const { inputs, frame } = prepareWindows(where, model.config, histories);
  const batch = inputs.length / (inputLength * features);
  const output = tf.tidy(() => model.call(tf.tensor3d(inputs, [batch, inputLength, features])));
  const quantiles = (await output.data()).slice() as Float32Array; // [B, H, K, Q]
  output.dispose();
  if (!quantiles.every(Number.isFinite)) {
    throw new NonFiniteError({ where, rule: 'every quantile must be finite', got: 'NaN or infinity from the network' });
  }
  return { quantiles, frame };
}

/**
 * Quantiles in units of the series, corrected, rising: float64 [batch, horizon, targets, quantiles].
 *
 * @param correction float32 [horizon, targets, quantiles]
 */
export function correctedQuantiles(
  model: Forecaster,
  { quantiles, frame }: NetworkQuantiles,
  correction: ArrayLike<number>,
): Float64Array {
  const corrected = Float64Array.from(quantiles, (value, i) => value + correction[i % correction.length]!);
  return restoreQuantiles(model.config, uncross(corrected, model.levels.length), frame);
}

/** A batch of windows as tensors: inputs float32 [batch, inputLength, features], targets float32 [batch, horizon, targets]. */
export function batchTensors(
  where: string,
  model: Forecaster,
  batch: SeriesBatch,
): { inputs: tf.Tensor; targets: tf.Tensor } {
  const { inputLength, features, horizon, targets: places } = model.config;
  const size = batch.origins.length;
  const { inputs, frame } = prepareWindows(where, model.config, batch.inputs);
  const targets = prepareTargets(where, model.config, batch.targets, frame);
  return {
    inputs: tf.tensor3d(inputs, [size, inputLength, features]),
    targets: tf.tensor3d(targets, [size, horizon, places.length]),
  };
}
