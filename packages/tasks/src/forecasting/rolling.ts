import { checkNumber, yieldToEvents } from '@ostinato/core';
import { type Series, SeriesWindows, type TimeRange } from '@ostinato/data';
import { ConformalScores } from './conformal.ts';
import type { Forecaster } from './model.ts';
import { correctedQuantiles, type NetworkQuantiles, networkQuantiles } from './predict.ts';
import { prepareTargets } from './scaling.ts';

/** One forecast of many. */
export interface RollingForecast {
  /** The row of the series at which it begins. */
  readonly origin: number;
  /** float64 [horizon, targets, quantiles], in units of the series. */
  readonly quantiles: Float64Array;
}

/** A forecast before its correction, and what came. */
interface Told {
  readonly origin: number;
  readonly network: NetworkQuantiles;
  /** float32 [horizon, targets] */
  readonly truth: Float32Array;
}

/** Options of `predictions`: see `EvaluateForecasterOptions`. */
interface PredictionsOptions {
  readonly series: Series;
  readonly range: TimeRange;
  readonly recalibrateFrom?: number | undefined;
  readonly batchSize?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A forecast from every row of a part, in order of time; with `recalibrateFrom`, each corrected by those that have come out before. */
export async function* predictions(
  where: string,
  model: Forecaster,
  { series, range, recalibrateFrom, batchSize = 256, signal }: PredictionsOptions,
): AsyncGenerator<RollingForecast, void> {
  if (recalibrateFrom !== undefined) {
    checkNumber(where, 'recalibrateFrom', recalibrateFrom, { integer: true, min: 0, max: range.from });
  }
  const correction = await model.correction.data();
  const scores = new ConformalScores(model);
  const waiting: Told[] = []; // their last rows have not come yet
  const from = recalibrateFrom ?? range.from;
  for await (const told of eachWindow(where, model, { series, range: { from, to: range.to }, batchSize, signal })) {
    while (waiting.length > 0 && waiting[0]!.origin + model.config.horizon <= told.origin) {
      const past = waiting.shift()!;
      scores.add(past.network.quantiles, past.truth);
    }
    if (recalibrateFrom !== undefined) waiting.push(told);
    if (told.origin < range.from) continue;
    const current = scores.count === 0 ? correction : scores.correction();
    yield { origin: told.origin, quantiles: correctedQuantiles(model, told.network, current) };
  }
}

async function* eachWindow(
  where: string,
  model: Forecaster,
  { signal, ...options }: { series: Series; range: TimeRange; batchSize: number; signal: AbortSignal | undefined },
): AsyncGenerator<Told, void> {
  const { horizon, targets } = model.config;
  const size = horizon * targets.length;
  for (const batch of new SeriesWindows({ ...options, inputLength: model.historyLength, horizon })) {
    await yieldToEvents(signal);
    const { quantiles, frame } = await networkQuantiles(where, model, batch.inputs);
    const truth = prepareTargets(where, model.config, batch.targets, frame);
    const rowOf = <A extends Float32Array | Float64Array>(values: A, row: number, width: number): A =>
      values.slice(row * width, (row + 1) * width) as A;
    for (const [row, origin] of batch.origins.entries()) {
      const network = {
        quantiles: rowOf(quantiles, row, size * model.levels.length),
        frame: {
          anchors: rowOf(frame.anchors, row, size),
          center: rowOf(frame.center, row, targets.length),
          scale: rowOf(frame.scale, row, targets.length),
        },
      };
      yield { origin, network, truth: rowOf(truth, row, size) };
    }
  }
}
