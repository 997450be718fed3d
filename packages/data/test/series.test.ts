import { type SeriesBatch, SeriesWindows, seriesOf, sliceSeries, splitSeries } from '@ostinato/data';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

/** Two features: t and 100 + t. */
const rising = (time: number) =>
  seriesOf({ a: Array.from({ length: time }, (_, t) => t), b: Array.from({ length: time }, (_, t) => 100 + t) });

/** Input and target times of every window, checked against both features. */
function windowsOf(batches: Iterable<SeriesBatch>): { input: number[]; target: number[]; origin: number }[] {
  return [...batches].flatMap(({ inputs, targets, inputShape, targetShape, origins }) => {
    const [batch, inputLength, features] = inputShape;
    const horizon = targetShape[1];
    return Array.from({ length: batch }, (_, row) => {
      const times = (values: Float64Array, length: number): number[] =>
        Array.from({ length }, (_, t) => {
          const at = (row * length + t) * features;
          expect(values[at + 1]).toBe(values[at]! + 100);
          return values[at]!;
        });
      return { input: times(inputs, inputLength), target: times(targets, horizon), origin: origins[row]! };
    });
  });
}

describe('series', () => {
  it('are columns side by side', () => {
    const series = seriesOf({ high: [3, 4, 5], low: Float32Array.of(1, 2, 3) });
    expect(series).toEqual({ values: Float64Array.of(3, 1, 4, 2, 5, 3), shape: [3, 2], names: ['high', 'low'] });
    expect(sliceSeries(series, 1)).toMatchObject({ values: Float64Array.of(4, 2, 5, 3), shape: [2, 2] });
  });

  it('refuse what is missing or uneven', () => {
    expect(() => seriesOf({})).toThrow('seriesOf: there must be a column, got none');
    expect(() => seriesOf({ a: [1, 2], b: [1] })).toThrow("expected 2, as 'a', got 1 in 'b'");
    expect(() => seriesOf({ a: [1, Number.NaN] })).toThrow("row 1 of column 'a' must be a finite number, got NaN");
    const holed = { ...rising(20), values: rising(20).values.with(5, Number.NaN) };
    expect(() => new SeriesWindows({ series: holed, inputLength: 2, horizon: 1, batchSize: 1 })).toThrow(
      "every value must be a finite number, got NaN in row 2 of 'b'",
    );
    const short = { ...rising(20), shape: [21, 2] as const };
    expect(() => new SeriesWindows({ series: short, inputLength: 2, horizon: 1, batchSize: 1 })).toThrow(
      /time · features values, got 40 values of shape \[21, 2\]/,
    );
  });

  it('are cut by time', () => {
    expect(splitSeries(rising(144), { validation: 0.2, test: 0.2 })).toEqual({
      train: { from: 0, to: 93 },
      validation: { from: 93, to: 116 },
      test: { from: 116, to: 144 },
    });
    expect(splitSeries(rising(10)).train).toEqual({ from: 0, to: 10 });
    expect(() => splitSeries(rising(10), { test: 1 })).toThrow(/test must be/);
    expect(() => splitSeries({ shape: [0, 1] })).toThrow(/rows to train on/);
  });
});

describe('SeriesWindows', () => {
  const options = { series: rising(20), inputLength: 4, horizon: 3, batchSize: 5 };

  it('reads windows and what follows them', () => {
    const windows = windowsOf(new SeriesWindows(options));
    expect(windows).toHaveLength(14);
    expect(windows[0]).toEqual({ input: [0, 1, 2, 3], target: [4, 5, 6], origin: 4 });
    expect(windows.at(-1)).toEqual({ input: [13, 14, 15, 16], target: [17, 18, 19], origin: 17 });
    const source = new SeriesWindows({ ...options, dropLast: true });
    expect([source.batchesPerEpoch, windowsOf(source).length]).toEqual([2, 10]);
  });

  it('takes targets from inside its range alone, whatever the sizes', () => {
    const sizes = fc.record({
      time: fc.integer({ min: 30, max: 60 }),
      inputLength: fc.integer({ min: 1, max: 8 }),
      horizon: fc.integer({ min: 1, max: 6 }),
      batchSize: fc.integer({ min: 1, max: 7 }),
      stride: fc.integer({ min: 1, max: 9 }),
      seed: fc.option(fc.nat(), { nil: undefined }),
    });
    fc.assert(
      fc.property(sizes, ({ time, ...rest }) => {
        const series = rising(time);
        const parts = splitSeries(series, { validation: 0.3, test: 0.25 });
        for (const range of Object.values(parts)) {
          if (range.to - Math.max(range.from, rest.inputLength) < rest.horizon) continue;
          const windows = windowsOf(new SeriesWindows({ ...rest, series, range }));
          const wanted: number[] = [];
          const first = Math.max(range.from, rest.inputLength);
          for (let t = first; t + rest.horizon <= range.to; t += rest.stride) wanted.push(t);
          expect(windows.map(window => window.origin).toSorted((a, b) => a - b)).toEqual(wanted);
          for (const { input, target, origin } of windows) {
            expect(input.at(-1)).toBe(origin - 1);
            expect(target).toEqual(Array.from({ length: rest.horizon }, (_, h) => origin + h));
          }
        }
      }),
    );
  });

  it('shuffles anew every epoch, and goes on where it stopped', () => {
    const source = new SeriesWindows({ ...options, seed: 3 });
    const origins = [0, 1].map(() => windowsOf(source).map(window => window.origin));
    expect(origins[0]).not.toEqual(origins[1]);
    source.next();
    const state = JSON.parse(JSON.stringify(source.state()));
    const rest = windowsOf(source);
    const other = new SeriesWindows({ ...options, seed: 9 });
    other.restore(state);
    expect(windowsOf(other)).toEqual(rest);
    expect(windowsOf(other)).toEqual(windowsOf(source));
  });

  it('refuses a state of other windows', () => {
    const state = new SeriesWindows(options).state();
    expect(() => new SeriesWindows({ ...options, horizon: 2 }).restore(state)).toThrow(
      'state.length, expected 15, got 14',
    );
    expect(() => new SeriesWindows({ ...options, seed: 1 }).restore(state)).toThrow('state.seed');
    expect(() => new SeriesWindows(options).restore({ ...state, position: 15 })).toThrow('state.position');
  });

  it('says how many rows it needs', () => {
    expect(() => new SeriesWindows({ ...options, inputLength: 18 })).toThrow(
      'SeriesWindows: too few rows for one window of inputLength 18 and horizon 3, expected at least 21 (18 + 3), got rows 0 … 19 of 20.',
    );
    expect(() => new SeriesWindows({ ...options, range: { from: 18, to: 20 } })).toThrow('expected at least 21 (3)');
    expect(() => new SeriesWindows({ ...options, range: { from: 3, to: 21 } })).toThrow(/range.to/);
    expect(() => new SeriesWindows({ ...options, horizon: 0 })).toThrow(/horizon must be an integer ≥ 1/);
  });
});
