import { ArgumentError, checkNumber } from '@ostinato/core';
import type { Series, TimeRange } from '@ostinato/data';
import { forecastErrors, intervalCoverage, mase, pinballLoss } from '@ostinato/metrics';
import { seasonalNaive } from './forecast.ts';
import type { Forecaster } from './model.ts';
import { predictions } from './rolling.ts';

/** Options of `evaluateForecaster`. */
export interface EvaluateForecasterOptions {
  readonly series: Series;
  /** The part whose values are to be told; what lies before it may be read. */
  readonly range: TimeRange;
  /** m of the seasonal-naive forecast beside, and of MASE. Default: the model's season, or 1 (the last value) where it has none. */
  readonly season?: number | undefined;
  /**
   * Whether intervals are calibrated anew before each forecast, with every forecast from row `recalibrateFrom` on that has come out by
   * then, as a program does that runs while time goes on; a row that the model was not trained on, such as the first of the validation
   * part. Default: the calibration of the model, once and for all.
   */
  readonly recalibrateFrom?: number | undefined;
  /** Windows that are computed together; the result does not depend on it. Default 256. */
  readonly batchSize?: number | undefined;
  /** Ends between batches: the rejection is the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** Errors of point forecasts. */
export interface PointErrors {
  /** In units of the series. */
  readonly mae: number;
  readonly rmse: number;
  /** In per cent. */
  readonly smape: number;
  /** Over the error of the seasonal-naive forecast one season ahead on all rows before `range`: see `mase` of `@ostinato/metrics`. */
  readonly mase: number;
}

/** How well a feature is told. */
export interface FeatureEvaluation extends PointErrors {
  readonly name: string;
  /** The seasonal-naive forecast on the same windows. */
  readonly seasonalNaive: PointErrors;
  /** mae over that of the seasonal-naive forecast on the same windows: below 1 is better than it. */
  readonly relativeMae: number;
  /** Of each level of the model, in units of the series. */
  readonly pinball: readonly { readonly level: number; readonly loss: number }[];
  readonly intervals: readonly {
    /** What was promised. */
    readonly coverage: number;
    /** Share of values inside. */
    readonly covered: number;
    /** Mean of upper − lower. */
    readonly width: number;
  }[];
}

/** What `evaluateForecaster` measures. */
export interface ForecasterEvaluation {
  /** Forecasts that were made, each of the model's whole horizon. */
  readonly windows: number;
  readonly season: number;
  readonly features: readonly FeatureEvaluation[];
}

/**
 * Makes a forecast from every row of a part of a series and compares it with what came: all rows of all horizons count alike.
 *
 * @throws ArgumentError when the range has no window, less than a season lies before it, or the series repeats exactly before it
 */
export async function evaluateForecaster(
  model: Forecaster,
  { series, range, season = model.config.season || 1, ...options }: EvaluateForecasterOptions,
): Promise<ForecasterEvaluation> {
  const where = 'evaluateForecaster';
  checkNumber(where, 'season', season, { integer: true, min: 1 });
  const { horizon, targets, intervals } = model.config;
  const levels = model.levels;
  const columns = targets.map(feature => columnOf(series, feature));
  const truth = targets.map((): number[] => []);
  const naive = targets.map((): number[] => []);
  const told = targets.map(() => levels.map((): number[] => []));
  let windows = 0;
  for await (const { origin, quantiles } of predictions(where, model, { series, range, ...options })) {
    checkPast(where, origin, season);
    windows++;
    for (const [k, column] of columns.entries()) {
      naive[k]!.push(...seasonalNaive(column.subarray(0, origin), { season, horizon }));
      for (let h = 0; h < horizon; h++) {
        truth[k]!.push(column[origin + h]!);
        const at = (h * targets.length + k) * levels.length;
        for (const q of levels.keys()) told[k]![q]!.push(quantiles[at + q]!);
      }
    }
  }
  const middle = (levels.length - 1) / 2;
  const features = targets.map((feature, k) => {
    const [values, quantiles] = [truth[k]!, told[k]!];
    const training = columns[k]!.subarray(0, range.from);
    const errors = (predictions: readonly number[]): PointErrors => {
      const { mae, rmse, smape } = forecastErrors(values, predictions);
      return { mae, rmse, smape, mase: mase(values, predictions, { training, season }) };
    };
    const [own, beside] = [errors(quantiles[middle]!), errors(naive[k]!)];
    return {
      name: series.names[feature]!,
      ...own,
      seasonalNaive: beside,
      relativeMae: own.mae / beside.mae,
      pinball: levels.map((level, q) => ({ level, loss: pinballLoss(values, quantiles[q]!, { quantile: level }) })),
      intervals: intervals.map((coverage, i) => {
        const [lower, upper] = [quantiles[middle - 1 - i]!, quantiles[middle + 1 + i]!];
        const width = upper.reduce((sum, bound, at) => sum + bound - lower[at]!, 0) / upper.length;
        return { coverage, covered: intervalCoverage(values, { lower, upper }), width };
      }),
    };
  });
  return { windows, season, features };
}

function columnOf({ values, shape: [time, features] }: Series, feature: number): Float64Array {
  return Float64Array.from({ length: time }, (_, t) => values[t * features + feature]!);
}

function checkPast(where: string, origin: number, season: number): void {
  if (origin > season) return;
  throw new ArgumentError({
    where,
    rule: 'more than a season must lie before the first forecast, for the seasonal-naive one beside it',
    expected: `> ${season} rows`,
    got: String(origin),
    advice: 'Evaluate a later part, or give another season.',
  });
}
