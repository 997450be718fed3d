import { ArgumentError, checkNumber } from '@ostinato/core';
import { checkSeries, type Series, sliceSeries } from '@ostinato/data';
import type { Forecaster } from './model.ts';
import { correctedQuantiles, networkQuantiles } from './predict.ts';
import { seasonsBack } from './scaling.ts';

/** Bounds between which a share of future values is expected, as many below as above. */
export interface PredictionInterval {
  /** The share, 0 … 1. */
  readonly coverage: number;
  /** [horizon] */
  readonly lower: readonly number[];
  /** [horizon] */
  readonly upper: readonly number[];
}

/** The forecast of one feature, in its own units. */
export interface FeatureForecast {
  readonly name: string;
  /** The median, [horizon]. */
  readonly point: readonly number[];
  /** From the narrowest to the widest, each inside the next. */
  readonly intervals: readonly PredictionInterval[];
}

/** Options of `forecast`. */
export interface ForecastOptions {
  /** Rows to tell, at most the model's horizon, which is the default. */
  readonly horizon?: number | undefined;
}

/**
 * Tells how a series goes on behind its last row, for every target of the model.
 *
 * @param history at least `model.historyLength` rows; earlier ones are not looked at
 * @throws ArgumentError when the history is too short or has other features than the model, or the horizon is beyond the model's
 */
export async function forecast(
  model: Forecaster,
  history: Series,
  { horizon = model.config.horizon }: ForecastOptions = {},
): Promise<FeatureForecast[]> {
  const where = 'forecast';
  checkSeries(where, history);
  const { features, targets, intervals, horizon: longest } = model.config;
  checkNumber(where, 'horizon', horizon, { integer: true, min: 1 });
  if (horizon > longest) {
    throw new ArgumentError({
      where,
      rule: 'horizon must be within what the model was trained for',
      expected: `≤ ${longest}`,
      got: String(horizon),
      advice: 'Train a model with a longer horizon.',
    });
  }
  const [time, width] = history.shape;
  if (width !== features) {
    const rule = 'the history must have the features that the model was trained on';
    throw new ArgumentError({ where, rule, expected: String(features), got: String(width) });
  }
  const needed = model.historyLength;
  if (time < needed) {
    throw new ArgumentError({
      where,
      rule: 'the history is too short',
      expected: `≥ ${needed} rows`,
      got: String(time),
    });
  }
  const told = await networkQuantiles(where, model, sliceSeries(history, time - needed).values);
  const quantiles = correctedQuantiles(model, told, await model.correction.data()); // [1, H, K, Q]
  const levels = model.levels.length;
  const middle = (levels - 1) / 2;
  return targets.map((feature, k) => {
    const level = (index: number): number[] =>
      Array.from({ length: horizon }, (_, h) => quantiles[(h * targets.length + k) * levels + index]!);
    return {
      name: history.names[feature]!,
      point: level(middle),
      intervals: intervals.map((coverage, i) => ({
        coverage,
        lower: level(middle - 1 - i),
        upper: level(middle + 1 + i),
      })),
    };
  });
}

/** Options of `seasonalNaive`. */
export interface SeasonalNaiveOptions {
  /** m, rows in a season; 1 repeats the last value. */
  readonly season: number;
  readonly horizon: number;
}

/**
 * The forecast to beat: each row as its last known row one or more seasons before, ŷ_{t+h} = y_{t+h−km}, k = ⌈h/m⌉.
 *
 * @param history one feature, in order of time
 * @throws ArgumentError when the history is shorter than a season
 */
export function seasonalNaive(history: ArrayLike<number>, { season, horizon }: SeasonalNaiveOptions): number[] {
  const where = 'seasonalNaive';
  checkNumber(where, 'season', season, { integer: true, min: 1 });
  checkNumber(where, 'horizon', horizon, { integer: true, min: 1 });
  checkNumber(where, 'the length of the history', history.length, { min: season });
  return Array.from({ length: horizon }, (_, h) => history[history.length + h - season * seasonsBack(h, season)]!);
}
