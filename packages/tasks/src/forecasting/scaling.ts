import { ArgumentError, type Complete, checkChoice, checkNumber } from '@ostinato/core';
import { checkSeries, type Series, sliceSeries, type TimeRange } from '@ostinato/data';
import { type ForecasterConfig, type SeriesStatistics, type SeriesTransform, seriesTransforms } from './config.ts';

/** The part of a configuration that says how values become what the network sees. */
export type ScalingConfig = Pick<
  Complete<ForecasterConfig>,
  'features' | 'inputLength' | 'horizon' | 'statistics' | 'targets' | 'transform' | 'season' | 'normalization'
>;

/** How the numbers of the network become values again: y = T⁻¹(anchor + seasons · center + scale · x). */
export interface WindowFrame {
  /** float64 [batch, horizon, targets]: transformed values that the forecast is a difference to; 0 without differences. */
  readonly anchors: Float64Array;
  /** float64 [batch, targets] */
  readonly center: Float64Array;
  /** float64 [batch, targets] */
  readonly scale: Float64Array;
}

/** Windows as the network sees them. */
export interface PreparedWindows {
  /** float32 [batch, inputLength, features] */
  readonly inputs: Float32Array;
  readonly frame: WindowFrame;
}

/** A window's own deviation counts as no less than this share of the training part's: a window may be constant. */
const leastDeviation = 0.01;

/** T(y). @throws ArgumentError when y has no logarithm */
function transformValue(where: string, transform: SeriesTransform, value: number): number {
  if (transform === 'none') return value;
  const transformed = transform === 'log' ? Math.log(value) : Math.log1p(value);
  if (Number.isFinite(transformed)) return transformed;
  const rule = `transform '${transform}' needs values above ${transform === 'log' ? 0 : -1}`;
  throw new ArgumentError({ where, rule, got: String(value), advice: "Use transform 'none'." });
}

/** T⁻¹(z). */
function restoreValue(transform: SeriesTransform, value: number): number {
  return transform === 'none' ? value : transform === 'log' ? Math.exp(value) : Math.expm1(value);
}

/** How many seasons back the last known value of row h of a forecast lies. */
export function seasonsBack(step: number, season: number): number {
  return season === 0 ? 1 : Math.floor(step / season) + 1;
}

/** Options of `seriesStatistics`. */
export interface SeriesStatisticsOptions {
  /** As of the forecaster. Default 'none'. */
  readonly transform?: SeriesTransform | undefined;
  /** As of the forecaster. Default 0. */
  readonly season?: number | undefined;
  /** The training part. Default: all. */
  readonly range?: TimeRange | undefined;
}

/**
 * Mean and standard deviation of each feature over the training part, behind transform and seasonal differences. A feature that does
 * not change has deviation 1.
 *
 * @throws ArgumentError when there are no more rows than a season, or a value has no logarithm
 */
export function seriesStatistics(
  series: Series,
  { transform = 'none', season = 0, range = { from: 0, to: series.shape[0] } }: SeriesStatisticsOptions = {},
): SeriesStatistics {
  const where = 'seriesStatistics';
  checkSeries(where, series);
  checkChoice(where, 'transform', transform, seriesTransforms);
  checkNumber(where, 'season', season, { integer: true, min: 0 });
  const { values, shape } = sliceSeries(series, range.from, range.to);
  const [time, features] = shape;
  if (time <= season) {
    throw new ArgumentError({ where, rule: 'there must be more rows than a season', got: `${time} for ${season}` });
  }
  const parts = Array.from({ length: features }, (_, feature) => {
    const seen: number[] = [];
    for (let t = season; t < time; t++)
      seen.push(seenValue(where, { values, features, transform, season }, t, feature));
    return deviation(seen);
  });
  return { center: parts.map(part => part.mean), scale: parts.map(part => (part.deviation > 0 ? part.deviation : 1)) };
}

/** What the network sees, before normalisation: T(yₜ), or its difference to the season before. */
function seenValue(
  where: string,
  source: { values: Float64Array; features: number; transform: SeriesTransform; season: number },
  time: number,
  feature: number,
): number {
  const { values, features, transform, season } = source;
  const at = (t: number): number => transformValue(where, transform, values[t * features + feature]!);
  return season === 0 ? at(time) : at(time) - at(time - season);
}

function deviation(values: readonly number[]): { mean: number; deviation: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return { mean, deviation: Math.sqrt(variance) };
}

/**
 * Histories as the network sees them, and the frame that leads back.
 *
 * @param histories float64 [batch, season + inputLength, features]
 */
export function prepareWindows(where: string, config: ScalingConfig, histories: Float64Array): PreparedWindows {
  const { features, inputLength, horizon, statistics, targets, transform, season, normalization } = config;
  const length = season + inputLength;
  const batch = histories.length / (length * features);
  const inputs = new Float32Array(batch * inputLength * features); // [B, L, F]
  const anchors = new Float64Array(batch * horizon * targets.length); // [B, H, K]
  const center = new Float64Array(batch * targets.length); // [B, K]
  const scale = new Float64Array(batch * targets.length);
  for (let row = 0; row < batch; row++) {
    const values = histories.subarray(row * length * features, (row + 1) * length * features);
    for (let feature = 0; feature < features; feature++) {
      const seen = Array.from({ length: inputLength }, (_, t) =>
        seenValue(where, { values, features, transform, season }, season + t, feature),
      );
      const own = deviation(seen);
      const usual = { mean: statistics.center[feature]!, deviation: statistics.scale[feature]! };
      const mean = normalization === 'window' ? own.mean : usual.mean;
      const width =
        normalization === 'window' ? Math.max(own.deviation, leastDeviation * usual.deviation) : usual.deviation;
      for (const [t, value] of seen.entries()) {
        inputs[(row * inputLength + t) * features + feature] = (value - mean) / width;
      }
      const target = targets.indexOf(feature);
      if (target < 0) continue;
      center[row * targets.length + target] = mean;
      scale[row * targets.length + target] = width;
      if (season === 0) continue;
      for (let h = 0; h < horizon; h++) {
        const known = length + h - season * seasonsBack(h, season);
        anchors[(row * horizon + h) * targets.length + target] = transformValue(
          where,
          transform,
          values[known * features + feature]!,
        );
      }
    }
  }
  return { inputs, frame: { anchors, center, scale } };
}

/**
 * True values as numbers of the network, to learn from and to calibrate with.
 *
 * @param targets float64 [batch, horizon, features], all features
 * @returns float32 [batch, horizon, targets]
 */
export function prepareTargets(
  where: string,
  config: ScalingConfig,
  targets: Float64Array,
  { anchors, center, scale }: WindowFrame,
): Float32Array {
  const { features, horizon, targets: places, transform, season } = config;
  const width = places.length;
  return Float32Array.from(anchors, (anchor, i) => {
    const [row, h, k] = [Math.floor(i / (horizon * width)), Math.floor(i / width) % horizon, i % width];
    const value = transformValue(where, transform, targets[(row * horizon + h) * features + places[k]!]!);
    const at = row * width + k;
    return (value - anchor - seasonsBack(h, season) * center[at]!) / scale[at]!;
  });
}

/**
 * Numbers of the network as values.
 *
 * @param quantiles [batch, horizon, targets, quantiles]
 * @returns float64 of the same shape
 */
export function restoreQuantiles(
  config: ScalingConfig,
  quantiles: Float32Array | Float64Array,
  { anchors, center, scale }: WindowFrame,
): Float64Array {
  const { horizon, targets, transform, season } = config;
  const width = targets.length;
  const levels = quantiles.length / anchors.length;
  return Float64Array.from(quantiles, (quantile, i) => {
    const place = Math.floor(i / levels);
    const [row, h, k] = [Math.floor(place / (horizon * width)), Math.floor(place / width) % horizon, place % width];
    const at = row * width + k;
    return restoreValue(transform, anchors[place]! + seasonsBack(h, season) * center[at]! + scale[at]! * quantile);
  });
}
