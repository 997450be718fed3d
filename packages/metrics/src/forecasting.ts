import { checkNumber, checkPair, MetricError } from './errors.ts';

/** Errors of forecasts. All are means over the values given. */
export interface ForecastErrors {
  /** Mean |y − ŷ|, in units of y. */
  readonly mae: number;
  /** √ mean (y − ŷ)², in units of y. */
  readonly rmse: number;
  /** Mean 100 |y − ŷ| / |y|, in per cent; Infinity where a target is 0 and missed. */
  readonly mape: number;
  /** Mean 200 |y − ŷ| / (|y| + |ŷ|), in per cent, 0 … 200; 0/0 counts as 0. */
  readonly smape: number;
  /** 1 − Σ (y − ŷ)² / Σ (y − ȳ)²: 1 is perfect, 0 no better than the mean. −Infinity or 1 where all targets are equal. */
  readonly r2: number;
}

/**
 * Errors of a forecast ŷ of y.
 *
 * Source: Makridakis 1993 (sMAPE, as in the M4 competition).
 *
 * @throws MetricError when the lengths differ, nothing is given, or a value is not finite
 */
export function forecastErrors(targets: ArrayLike<number>, predictions: ArrayLike<number>): ForecastErrors {
  checkValues('forecastErrors', targets, predictions);
  const n = targets.length;
  const mean = sumOver(n, i => targets[i]!) / n;
  const error = (i: number): number => Math.abs(targets[i]! - predictions[i]!);
  const squares = sumOver(n, i => error(i) ** 2);
  const spread = sumOver(n, i => (targets[i]! - mean) ** 2);
  return {
    mae: sumOver(n, error) / n,
    rmse: Math.sqrt(squares / n),
    mape: (100 * sumOver(n, i => quotient(error(i), Math.abs(targets[i]!)))) / n,
    smape: (200 * sumOver(n, i => quotient(error(i), Math.abs(targets[i]!) + Math.abs(predictions[i]!)))) / n,
    r2: 1 - quotient(squares, spread),
  };
}

/**
 * Mean absolute scaled error: mean |y − ŷ| over the mean error of the naive forecast "as one season ago" on the training
 * series. Below 1 the forecast beats that one.
 *
 *   MASE = mean_t |y_t − ŷ_t| / mean_{t > m} |x_t − x_{t−m}|
 *
 * Source: Hyndman & Koehler 2006, Another look at measures of forecast accuracy, section 4.
 *
 * `training` is x, the series that the forecast was learned from, in order; `season` is m, the steps in one season (12 for months),
 * default 1, the last value.
 *
 * @throws MetricError when the lengths differ, a value is not finite, the training series has no more than one season, or
 *   repeats exactly, so that the naive forecast makes no error
 */
export function mase(
  targets: ArrayLike<number>,
  predictions: ArrayLike<number>,
  { training, season = 1 }: { readonly training: ArrayLike<number>; readonly season?: number | undefined },
): number {
  const where = 'mase';
  checkValues(where, targets, predictions);
  checkNumber(where, 'season', season, { integer: true, min: 1 });
  for (let i = 0; i < training.length; i++) checkNumber(where, `training[${i}]`, training[i]!);
  if (training.length <= season) {
    const got = `${training.length} values for a season of ${season}`;
    throw new MetricError({ where, rule: 'training must be longer than one season', got });
  }
  const steps = training.length - season;
  const naive = sumOver(steps, t => Math.abs(training[t + season]! - training[t]!)) / steps;
  if (naive === 0) {
    throw new MetricError({
      where,
      rule: 'the training series must not repeat exactly',
      got: `no difference between values ${season} steps apart`,
      advice: 'Take another season, or forecastErrors.',
    });
  }
  return forecastErrors(targets, predictions).mae / naive;
}

/**
 * Pinball (quantile) loss: mean of q (y − ŷ) where y ≥ ŷ and (1 − q) (ŷ − y) elsewhere. Its least mean is at the q-quantile;
 * with q = 0.5 it is half the mean absolute error.
 *
 * Source: Koenker & Bassett 1978, Regression quantiles.
 *
 * @param quantile q, 0 < q < 1
 * @throws MetricError when the lengths differ, nothing is given, a value is not finite, or q is out of range
 */
export function pinballLoss(
  targets: ArrayLike<number>,
  predictions: ArrayLike<number>,
  { quantile }: { readonly quantile: number },
): number {
  checkValues('pinballLoss', targets, predictions);
  checkNumber('pinballLoss', 'quantile', quantile, { above: 0, below: 1 });
  const loss = (i: number): number => {
    const error = targets[i]! - predictions[i]!;
    return error >= 0 ? quantile * error : (quantile - 1) * error;
  };
  return sumOver(targets.length, loss) / targets.length;
}

/**
 * Share of targets inside their prediction intervals, bounds included: near 0.8 for honest intervals of 80 %.
 *
 * `lower` and `upper` are the bounds of each interval, `upper` not below `lower`.
 *
 * @throws MetricError when the lengths differ, nothing is given, a value is not finite, or bounds are in the wrong order
 */
export function intervalCoverage(
  targets: ArrayLike<number>,
  { lower, upper }: { readonly lower: ArrayLike<number>; readonly upper: ArrayLike<number> },
): number {
  const where = 'intervalCoverage';
  checkValues(where, targets, lower, 'lower');
  checkValues(where, targets, upper, 'upper');
  let inside = 0;
  for (let i = 0; i < targets.length; i++) {
    if (lower[i]! > upper[i]!) {
      const got = `${lower[i]} > ${upper[i]} at ${i}`;
      throw new MetricError({ where, rule: 'lower must not be above upper', got });
    }
    if (lower[i]! <= targets[i]! && targets[i]! <= upper[i]!) inside++;
  }
  return inside / targets.length;
}

function checkValues(where: string, targets: ArrayLike<number>, others: ArrayLike<number>, name = 'predictions'): void {
  checkPair(where, { name: 'targets', values: targets }, { name, values: others });
  for (let i = 0; i < targets.length; i++) {
    checkNumber(where, `targets[${i}]`, targets[i]!);
    checkNumber(where, `${name}[${i}]`, others[i]!);
  }
}

function sumOver(count: number, term: (i: number) => number): number {
  let sum = 0;
  for (let i = 0; i < count; i++) sum += term(i);
  return sum;
}

const quotient = (part: number, whole: number): number => (part === 0 ? 0 : part / whole);
