import { ArgumentError, type Complete, checkChoice, checkNumber } from '@ostinato/core';

/** The networks that a forecaster can be built on. */
export const forecasterArchitectures = ['lstm', 'gru', 'rnn', 'transformer'] as const;

/** Name of a network: see `forecasterArchitectures`. */
export type ForecasterArchitecture = (typeof forecasterArchitectures)[number];

/** What values become before anything else: `log` needs values above 0, `log1p` (ln(1 + y)) above −1. */
export const seriesTransforms = ['none', 'log', 'log1p'] as const;

/** Name of a transform: see `seriesTransforms`. */
export type SeriesTransform = (typeof seriesTransforms)[number];

/** Mean and standard deviation of each feature, behind transform and differences: what `seriesStatistics` measures. */
export interface SeriesStatistics {
  readonly center: readonly number[];
  readonly scale: readonly number[];
}

/** Everything that determines a forecaster but its weights: plain JSON, saved with them. */
export interface ForecasterConfig {
  /** F, numbers in a row of the series. */
  readonly features: number;
  /** L, rows that the network reads. */
  readonly inputLength: number;
  /** H, rows that are told, all at once. */
  readonly horizon: number;
  /** Of the training part, behind the same transform and differences: `seriesStatistics`. */
  readonly statistics: SeriesStatistics;
  /** The K features that are told, by their places; the others are only read. Default: all. */
  readonly targets?: readonly number[] | undefined;
  /** Default 'lstm'. */
  readonly architecture?: ForecasterArchitecture | undefined;
  /** Width of the network. Default 64. */
  readonly hiddenSize?: number | undefined;
  /** Layers on top of each other. Default 1. */
  readonly numLayers?: number | undefined;
  /** Of the transformer. Default 4. */
  readonly numHeads?: number | undefined;
  /** Rate of dropout between layers and before the output; in the transformer inside the layers too. Default 0. */
  readonly dropout?: number | undefined;
  /** Shares of future values that prediction intervals promise to hold, each with as many values below as above. Default [0.8]. */
  readonly intervals?: readonly number[] | undefined;
  /** Default 'none'. */
  readonly transform?: SeriesTransform | undefined;
  /**
   * m: the network sees differences to the value m rows before, and tells differences to the last known value of the same season; a
   * seasonal-naive forecast is then its zero. 0: it sees the values themselves. Default 0.
   */
  readonly season?: number | undefined;
  /**
   * `window`: each window loses its own mean and is divided by its own deviation, which the forecast gets back (RevIN, without its
   * affine part: Kim et al. 2022, ICLR). `training`: those of the training part, for series that keep their level. Default 'window'.
   */
  readonly normalization?: 'window' | 'training' | undefined;
}

/** The configuration with every default filled in. Throws ArgumentError when a value lies outside what is allowed. */
export function completeConfig({
  features,
  inputLength,
  horizon,
  statistics,
  targets = Array.from({ length: features }, (_, feature) => feature),
  architecture = 'lstm',
  hiddenSize = 64,
  numLayers = 1,
  numHeads = 4,
  dropout = 0,
  intervals = [0.8],
  transform = 'none',
  season = 0,
  normalization = 'window',
}: ForecasterConfig): Complete<ForecasterConfig> {
  const where = 'Forecaster';
  for (const [name, value] of Object.entries({ features, inputLength, horizon, hiddenSize, numLayers, numHeads })) {
    checkNumber(where, name, value, { integer: true, min: 1 });
  }
  checkNumber(where, 'dropout', dropout, { min: 0, below: 1 });
  checkNumber(where, 'season', season, { integer: true, min: 0 });
  checkChoice(where, 'architecture', architecture, forecasterArchitectures);
  checkChoice(where, 'transform', transform, seriesTransforms);
  checkChoice(where, 'normalization', normalization, ['window', 'training']);
  checkTargets(where, targets, features);
  checkStatistics(where, statistics, features);
  for (const interval of intervals) checkNumber(where, 'an interval', interval, { above: 0, below: 1 });
  if (new Set(intervals).size < intervals.length) {
    throw new ArgumentError({ where, rule: 'intervals must differ', got: `[${intervals.join(', ')}]` });
  }
  if (architecture === 'transformer' && hiddenSize % numHeads !== 0) {
    const got = `${hiddenSize} and ${numHeads}`;
    throw new ArgumentError({ where, rule: 'hiddenSize must be divisible by numHeads', got });
  }
  return {
    ...{ features, inputLength, horizon, statistics, targets, architecture, hiddenSize, numLayers, numHeads, dropout },
    ...{ intervals: [...intervals].sort((a, b) => a - b), transform, season, normalization },
  };
}

function checkTargets(where: string, targets: readonly number[], features: number): void {
  for (const target of targets) checkNumber(where, 'a target', target, { integer: true, min: 0, below: features });
  if (targets.length > 0 && new Set(targets).size === targets.length) return;
  throw new ArgumentError({
    where,
    rule: 'targets must be features, each once',
    expected: `some of 0 … ${features - 1}`,
    got: `[${targets.join(', ')}]`,
  });
}

function checkStatistics(where: string, statistics: SeriesStatistics, features: number): void {
  const lengths = [statistics?.center?.length, statistics?.scale?.length];
  if (lengths.some(length => length !== features)) {
    throw new ArgumentError({
      where,
      rule: 'statistics must have a center and a scale for every feature',
      expected: `${features} of each`,
      got: `${lengths[0] ?? 'no'} centers, ${lengths[1] ?? 'no'} scales`,
      advice: 'Make them with seriesStatistics.',
    });
  }
  for (const center of statistics.center) checkNumber(where, 'statistics.center', center);
  for (const scale of statistics.scale) checkNumber(where, 'statistics.scale', scale, { above: 0 });
}

/** The levels that bound intervals, with the median in the middle: [0.8] → [0.1, 0.5, 0.9]. `intervals` rise. */
export function quantileLevels(intervals: readonly number[]): number[] {
  const level = (value: number): number => Number(value.toPrecision(12)); // (1 − 0.8) / 2 is 0.09999999999999998
  return [
    ...intervals.toReversed().map(interval => level((1 - interval) / 2)),
    0.5,
    ...intervals.map(interval => level((1 + interval) / 2)),
  ];
}
