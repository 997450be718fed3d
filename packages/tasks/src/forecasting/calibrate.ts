import { yieldToEvents } from '@ostinato/core';
import { type Series, SeriesWindows, type TimeRange } from '@ostinato/data';
import * as tf from '@tensorflow/tfjs-core';
import { ConformalScores } from './conformal.ts';
import type { Forecaster } from './model.ts';
import { networkQuantiles } from './predict.ts';
import { prepareTargets } from './scaling.ts';

/** Options of `calibrate`. */
export interface CalibrateOptions {
  readonly series: Series;
  /** A part of the series that the model was not trained on. */
  readonly range: TimeRange;
  /** Windows that are computed together. Default 256. */
  readonly batchSize?: number | undefined;
  /** Ends between batches: the rejection is the signal's reason, and the model is as it was. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Makes prediction intervals hold what they promise on a part of the series that was not trained on, by conformalized quantile
 * regression: for each interval of coverage c, the bounds move outwards (or inwards) by the ⌈(n + 1) c⌉-th smallest of the n scores
 *
 *     E = max(lower − y, y − upper)
 *
 * in the network's own numbers, so that the correction grows with the scale of the window. Scores of all rows of the horizon count
 * together; neighbouring windows overlap, so that there are fewer independent ones than windows. With fewer than c / (1 − c) scores the
 * greatest is taken. Future values are covered with probability c if they come as those of `range` did (are exchangeable with them);
 * those of a series that changes its ways do not: calibrate again as time goes on.
 *
 * Romano, Patterson and Candès 2019, "Conformalized quantile regression", NeurIPS, arXiv:1905.03222, algorithm 1.
 *
 * @throws ArgumentError when the range has no window
 */
export async function calibrate(
  model: Forecaster,
  { series, range, batchSize = 256, signal }: CalibrateOptions,
): Promise<void> {
  const where = 'calibrate';
  const { horizon } = model.config;
  const scores = new ConformalScores(model);
  for (const batch of new SeriesWindows({ series, range, inputLength: model.historyLength, horizon, batchSize })) {
    await yieldToEvents(signal);
    const { quantiles, frame } = await networkQuantiles(where, model, batch.inputs);
    scores.add(quantiles, prepareTargets(where, model.config, batch.targets, frame));
  }
  tf.tidy(() => model.correction.assign(tf.tensor(scores.correction(), model.correction.shape)));
}
