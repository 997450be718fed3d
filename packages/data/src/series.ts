import { ArgumentError, checkNumber } from '@ostinato/core';

/** Measurements at equal distances in time: one row a moment, one column a feature. */
export interface Series {
  /** Row-major [time, features]; float64, since large numbers with small changes lose them in float32. */
  readonly values: Float64Array;
  readonly shape: readonly [time: number, features: number];
  /** Name of each feature. */
  readonly names: readonly string[];
}

/**
 * A series of columns of equal length: `seriesOf({ passengers: [112, 118, 132] })`. The values are copied.
 *
 * @throws ArgumentError when there is no column, lengths differ, or a value is no finite number, naming the column and the row (from 0)
 */
export function seriesOf(columns: Readonly<Record<string, ArrayLike<number>>>): Series {
  const where = 'seriesOf';
  const names = Object.keys(columns);
  if (names.length === 0) throw new ArgumentError({ where, rule: 'there must be a column', got: 'none' });
  const time = columns[names[0]!]!.length;
  const values = new Float64Array(time * names.length);
  for (const [feature, name] of names.entries()) {
    const column = columns[name]!;
    if (column.length !== time) {
      throw new ArgumentError({
        where,
        rule: 'columns must have equal lengths',
        expected: `${time}, as '${names[0]}'`,
        got: `${column.length} in '${name}'`,
      });
    }
    for (let t = 0; t < time; t++) {
      checkNumber(where, `row ${t} of column '${name}'`, column[t]!);
      values[t * names.length + feature] = column[t]!;
    }
  }
  return { values, shape: [time, names.length], names };
}

/** The rows from … to−1 of a series, as a view. */
export function sliceSeries(
  { values, shape: [time, features], names }: Series,
  from: number,
  to: number = time,
): Series {
  checkNumber('sliceSeries', 'to', to, { integer: true, min: 0, max: time });
  checkNumber('sliceSeries', 'from', from, { integer: true, min: 0, max: to });
  return { values: values.subarray(from * features, to * features), shape: [to - from, features], names };
}

/** Checks what may come from outside: the shape is that of the values, and every value is finite. */
export function checkSeries(where: string, series: Series): void {
  const { values, shape, names } = series ?? {};
  const [time = -1, features = -1] = shape ?? [];
  if (!(values instanceof Float64Array) || features < 1 || values.length !== time * features) {
    throw new ArgumentError({
      where,
      rule: 'series must be { values: Float64Array, shape: [time, features], names } with time · features values',
      got: `${values?.length ?? 'no'} values of shape [${shape?.join(', ') ?? ''}]`,
      advice: 'Make one with seriesOf({ name: numbers }).',
    });
  }
  const wrong = values.findIndex(value => !Number.isFinite(value));
  if (wrong < 0) return;
  throw new ArgumentError({
    where,
    rule: 'every value must be a finite number',
    got: `${values[wrong]} in row ${Math.floor(wrong / features)} of '${names?.[wrong % features] ?? wrong % features}'`,
    advice: 'Fill in what is missing, or leave those rows out.',
  });
}

/** Options of `splitSeries`. */
export interface SplitSeriesOptions {
  /** Share of the rows before the test part that is held out for validation, 0 ≤ share < 1. Default 0. */
  readonly validation?: number | undefined;
  /** Share of all rows that is held out for testing, at the end, 0 ≤ share < 1. Default 0. */
  readonly test?: number | undefined;
}

/** A part of a series: the rows from … to−1. */
export interface TimeRange {
  readonly from: number;
  readonly to: number;
}

/** What `splitSeries` returns. */
export interface SeriesParts {
  readonly train: TimeRange;
  readonly validation: TimeRange;
  readonly test: TimeRange;
}

/**
 * Cuts the time of a series into training, validation and test parts, one after another: the last ⌊test · T⌋ rows are the test part,
 * the last ⌊validation · rest⌋ of the rest the validation part. As ranges for `SeriesWindows`.
 *
 * @throws ArgumentError when a share is out of range, or nothing is left to train on
 */
export function splitSeries(
  { shape: [time] }: Pick<Series, 'shape'>,
  { validation = 0, test = 0 }: SplitSeriesOptions = {},
): SeriesParts {
  const where = 'splitSeries';
  checkNumber(where, 'validation', validation, { min: 0, below: 1 });
  checkNumber(where, 'test', test, { min: 0, below: 1 });
  const testFrom = time - Math.floor(test * time);
  const validationFrom = testFrom - Math.floor(validation * testFrom);
  if (validationFrom < 1) {
    throw new ArgumentError({ where, rule: 'there must be rows to train on', got: `${time} rows in all` });
  }
  return {
    train: { from: 0, to: validationFrom },
    validation: { from: validationFrom, to: testFrom },
    test: { from: testFrom, to: time },
  };
}
