import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FormatError, parameters, Rng } from '@ostinato/core';
import { type Series, seriesOf, sliceSeries, splitSeries } from '@ostinato/data';
import {
  calibrate,
  decodeForecaster,
  describeForecaster,
  encodeForecaster,
  evaluateForecaster,
  Forecaster,
  type ForecasterArchitecture,
  type ForecasterConfig,
  forecast,
  forecasterArchitectures,
  seasonalNaive,
  seriesStatistics,
  type TrainForecasterOptions,
  trainForecaster,
} from '@ostinato/tasks/forecasting';
import { loadForecaster, saveForecaster } from '@ostinato/tasks/forecasting/node';
import { expectNoLeak, gradCheck } from '@ostinato/testing';
import { type Checkpoint, encodeCheckpoint, type FitEvent } from '@ostinato/training';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, describe, expect, it } from 'vitest';
import { orderedQuantiles, uncross } from '../src/forecasting/quantiles.ts';
import { prepareTargets, prepareWindows, restoreQuantiles } from '../src/forecasting/scaling.ts';

const folder = mkdtempSync(join(tmpdir(), 'ostinato-forecasting-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Two features: a season of 6 on a trend with a little noise, and what the first will be one row later. */
function seasonal(time: number, noise = 0.05): Series {
  const rng = new Rng(3);
  const value = Float64Array.from(
    { length: time + 1 },
    (_, t) => (50 + 0.5 * t) * (1 + 0.3 * Math.sin((2 * Math.PI * t) / 6) + noise * rng.gaussian()),
  );
  return seriesOf({ sales: value.slice(0, time), orders: value.slice(1) });
}

const sizes = { features: 2, inputLength: 8, horizon: 3, hiddenSize: 8, numHeads: 2 } as const;
const unit = { center: [0, 0], scale: [1, 1] };
const build = (options: Partial<ForecasterConfig> = {}, seed = 1): Forecaster =>
  new Forecaster({ ...sizes, statistics: unit, rng: new Rng(seed), ...options });

async function run(options: Partial<TrainForecasterOptions> & { model: Forecaster }): Promise<FitEvent[]> {
  const events: FitEvent[] = [];
  const defaults = { series: seasonal(60), steps: 10, batchSize: 8, seed: 5 };
  for await (const event of trainForecaster({ ...defaults, ...options })) events.push(event);
  return events;
}

const values = (model: Forecaster): number[][] =>
  [...parameters(model).values()].map(variable => Array.from(variable.dataSync()));

describe('quantiles', () => {
  it('rise, whatever the network says, and have the gradient of their values', () => {
    const raw = tf.tensor2d([3, -40, 0.5, 7, -2, 0.1, 1, -1, 2, 0], [2, 5]);
    tf.tidy(() => {
      for (const row of orderedQuantiles(tf.mul(raw, 5)).arraySync() as number[][]) {
        expect(row).toEqual(row.toSorted((a, b) => a - b));
      }
      expect((orderedQuantiles(raw).arraySync() as number[][])[0]![2]).toBe(0.5);
    });
    gradCheck(x => orderedQuantiles(x), [raw]);
    expectNoLeak(() => orderedQuantiles(raw));
    raw.dispose();
  });

  it('are put back in order by moving bounds outwards alone', () => {
    expect([...uncross(Float64Array.of(2, 0.5, 1, 3, 2.5, 0, 1, 2, 3, 4), 5)]).toEqual([
      0.5, 0.5, 1, 3, 3, 0, 1, 2, 3, 4,
    ]);
    expect([...uncross(Float64Array.of(5, 1, -5), 3)]).toEqual([1, 1, 1]);
  });
});

describe('scaling', () => {
  const scalings = [
    {},
    { transform: 'log', season: 6 },
    { transform: 'log1p', season: 2, normalization: 'training' },
    { season: 1, normalization: 'training', targets: [1] },
  ] as const;

  it.each(scalings)('is undone by its frame: %j', options => {
    const series = seasonal(40);
    const statistics = seriesStatistics(series, { ...options, range: { from: 0, to: 30 } });
    const { config } = build({ ...options, statistics });
    const histories = series.values.slice(0, 2 * (config.season + 8));
    const future = series.values.slice(histories.length, histories.length + 6);
    const { inputs, frame } = prepareWindows('test', config, histories);
    expect(inputs).toHaveLength(16);
    const truth = prepareTargets('test', config, future, frame);
    const restored = restoreQuantiles(config, truth, frame);
    const told = [...future].filter((_, i) => config.targets.includes(i % 2));
    for (const [i, value] of restored.entries()) expect(value).toBeCloseTo(told[i]!, 3);
  });

  it('makes a seasonal-naive forecast of nothing, over several seasons too', () => {
    const { config } = build({ horizon: 5, season: 2, normalization: 'training' });
    const histories = Float64Array.from({ length: 20 }, (_, i) => i); // rows t: 2t, 2t + 1
    const { frame } = prepareWindows('test', config, histories);
    const restored = restoreQuantiles(config, new Float32Array(10), frame);
    expect(restored.filter((_, i) => i % 2 === 0)).toEqual(
      Float64Array.from(seasonalNaive([0, 2, 4, 6, 8, 10, 12, 14, 16, 18], { season: 2, horizon: 5 })),
    );
    expect([...seasonalNaive([1, 2, 3], { season: 1, horizon: 2 })]).toEqual([3, 3]);
    expect(() => seasonalNaive([1], { season: 2, horizon: 1 })).toThrow(/length of the history/);
  });

  it('survives windows that do not change, and large numbers that change little', () => {
    const flat = build({ statistics: { center: [7, 0], scale: [2, 1] } });
    const { inputs, frame } = prepareWindows('test', flat.config, new Float64Array(16).fill(7));
    expect(new Set(inputs)).toEqual(new Set([0]));
    expect([...frame.scale]).toEqual([0.02, 0.01]);
    flat.dispose();
    const large = build({ statistics: { center: [0, 0], scale: [1, 1] } });
    const { inputs: seen } = prepareWindows(
      'test',
      large.config,
      Float64Array.from({ length: 16 }, (_, i) => 1e9 + (i >> 1)),
    );
    expect(seen[2]! - seen[0]!).toBeCloseTo(1 / Math.sqrt(5.25), 5); // rows 0 … 7 deviate by √((8² − 1)/12)
    large.dispose();
  });

  it('refuses what has no logarithm', () => {
    const series = seriesOf({ a: [1, 2, 0, 4] });
    expect(() => seriesStatistics(series, { transform: 'log' })).toThrow("transform 'log' needs values above 0, got 0");
    expect(() => seriesStatistics(series, { season: 4 })).toThrow(/more rows than a season, got 4 for 4/);
    expect(seriesStatistics(seriesOf({ a: [5, 5] }))).toEqual({ center: [5], scale: [1] });
  });
});

describe('Forecaster', () => {
  it.each(forecasterArchitectures)('%s tells rising quantiles, and its gradients are those of its values', name => {
    const model = build({ architecture: name, intervals: [0.5, 0.9], targets: [0], hiddenSize: 4 });
    expect(model.levels).toEqual([0.05, 0.25, 0.5, 0.75, 0.95]);
    const input = new Rng(2).normal([2, 8, 2]);
    const output = model.call(input);
    expect(output.shape).toEqual([2, 3, 1, 5]);
    const flat = [...output.dataSync()];
    for (let i = 0; i < flat.length; i++) if (i % 5 > 0) expect(flat[i]!).toBeGreaterThan(flat[i - 1]!);
    expectNoLeak(() => model.call(input));
    gradCheck(x => model.call(x), [input], { elements: 6, directions: 2 });
    tf.dispose([input, output]);
    model.dispose();
  });

  it('says what is wrong', () => {
    expect(() => build({ architecture: 'mlp' as 'rnn' })).toThrow(
      "Forecaster: unknown architecture, expected 'lstm' | 'gru' | 'rnn' | 'transformer', got 'mlp'.",
    );
    expect(() => build({ targets: [2] })).toThrow(/a target must be an integer ≥ 0 < 2, got 2/);
    expect(() => build({ targets: [] })).toThrow(/targets must be features, each once/);
    expect(() => build({ intervals: [1] })).toThrow(/an interval must be/);
    expect(() => build({ intervals: [0.5, 0.5] })).toThrow(/intervals must differ/);
    expect(() => build({ statistics: { center: [0], scale: [1] } })).toThrow(/expected 2 of each, got 1 centers/);
    expect(() => build({ architecture: 'transformer', numHeads: 3 })).toThrow(/divisible by numHeads/);
    const model = build();
    expect(() => model.call(tf.zeros([1, 7, 2]))).toThrow(
      /inputLength, features\], expected \[\?, 8, 2\], got \[1, 7, 2\]/,
    );
    model.dispose();
  });
});

describe('trainForecaster', () => {
  const series = seasonal(120);
  const parts = splitSeries(series, { validation: 0.25, test: 0.25 });
  const shape = { transform: 'log', season: 6, normalization: 'training', targets: [0] } as const;
  const statistics = seriesStatistics(series, { ...shape, range: parts.train });

  it.each<ForecasterArchitecture>(['gru', 'transformer'])('%s beats the season before, and covers', async name => {
    const model = build({ ...shape, architecture: name, statistics, hiddenSize: 16 });
    const before = tf.memory().numTensors;
    const events = await run({
      model,
      series,
      range: parts.train,
      validation: parts.validation,
      steps: 150,
      validateEvery: 75,
    });
    expect(events.filter(event => event.event === 'validation')).toHaveLength(2);
    const { windows, features } = await evaluateForecaster(model, { series, range: parts.test });
    expect(windows).toBe(28);
    const [sales] = features;
    expect(sales!.name).toBe('sales');
    expect(sales!.relativeMae).toBeLessThan(0.95);
    expect(sales!.mase / sales!.seasonalNaive.mase).toBeCloseTo(sales!.relativeMae, 6);
    expect(sales!.intervals[0]!.covered).toBeGreaterThan(0.5);
    expect(sales!.pinball.map(({ level }) => level)).toEqual([0.1, 0.5, 0.9]);
    expect(sales!.pinball[1]!.loss).toBeCloseTo(sales!.mae / 2, 6);
    const [told] = await forecast(model, sliceSeries(series, 0, 100));
    expect(Math.abs(told!.point[0]! - series.values[200]!)).toBeLessThan(40);
    expect(tf.memory().numTensors).toBe(before);
    model.dispose();
  });

  it('sees nothing of validation and test', async () => {
    const after = {
      ...series,
      values: series.values.map((value, i) => (i < 2 * parts.train.to ? value : 1e3 * value)),
    };
    const runs = [];
    for (const each of [series, after]) {
      const model = build({ ...shape, statistics: seriesStatistics(each, { ...shape, range: parts.train }) });
      await run({ model, series: each, range: parts.train, steps: 5 });
      runs.push(values(model));
      model.dispose();
    }
    expect(runs[1]).toEqual(runs[0]);
  });

  it('goes on from a checkpoint, to the bit', async () => {
    const shared = { series, range: parts.train, validation: parts.validation, validateEvery: 7, weightDecay: 0.1 };
    const make = (): Forecaster => build({ ...shape, statistics, dropout: 0.2 });
    const [whole, cut] = [make(), make()];
    await run({ model: whole, steps: 20, ...shared });
    const saved: Checkpoint[] = [];
    const controller = new AbortController();
    const training = trainForecaster({
      ...{ model: cut, steps: 20, batchSize: 8, seed: 5, ...shared, signal: controller.signal },
      checkpoint: { every: 100, save: checkpoint => void saved.push(checkpoint) },
      description: describeForecaster({ model: cut, names: series.names }),
    });
    for await (const event of training) if (event.event === 'step' && event.step === 9) controller.abort();
    expect(saved.map(checkpoint => checkpoint.step)).toEqual([9]);
    const loaded = decodeForecaster(encodeCheckpoint(saved[0]!));
    expect(loaded.names).toEqual(['sales', 'orders']);
    await run({ model: loaded.model, steps: 20, ...shared, resume: loaded.checkpoint });
    expect(values(loaded.model)).toEqual(values(whole));
    for (const model of [whole, cut, loaded.model]) model.dispose();
  });

  it('ends with the weights and the calibration of its best validation', async () => {
    const model = build({ ...shape, statistics });
    const losses: number[] = [];
    const found: ReturnType<typeof values>[] = [];
    const training = trainForecaster({
      ...{ model, series, range: parts.train, validation: parts.validation },
      ...{ steps: 60, validateEvery: 6, batchSize: 8, learningRate: 0.1, schedule: 'constant', seed: 5 },
    });
    for await (const event of training) {
      if (event.event !== 'validation') continue;
      losses.push(event.metrics['validationLoss']!);
      found.push(values(model));
    }
    const best = losses.indexOf(Math.min(...losses));
    expect(best).toBeLessThan(losses.length - 1); // else it would prove nothing
    expect(values(model)).toEqual(found[best]);
    model.dispose();
  });

  it('refuses parts without a window', async () => {
    const model = build();
    await expect(run({ model, range: { from: 0, to: 10 } })).rejects.toThrow(/too few rows for one window/);
    await expect(run({ model, validation: { from: 58, to: 60 } })).rejects.toThrow(/too few rows for one window/);
    await expect(run({ model, learningRate: 0 })).rejects.toThrow(/learningRate must be/);
    model.dispose();
  });
});

describe('calibration', () => {
  const series = seasonal(140, 0.2);
  const range = { from: 60, to: 140 };

  it('makes an untrained model cover what it promises where it was calibrated', async () => {
    const model = build({ intervals: [0.5, 0.8], season: 6 });
    const covered = async (): Promise<number[]> => {
      const { features } = await evaluateForecaster(model, { series, range });
      return features[0]!.intervals.map(interval => interval.covered);
    };
    const before = await covered();
    await calibrate(model, { series, range });
    const after = await covered();
    expect(Math.abs(after[0]! - 0.5)).toBeLessThan(0.02);
    expect(Math.abs(after[1]! - 0.8)).toBeLessThan(0.02);
    expect(before).not.toEqual(after);
    await calibrate(model, { series, range }); // again: from the network, not from the corrected bounds
    expect(await covered()).toEqual(after);
    model.dispose();
  });

  it('goes on as forecasts come out, and looks at no other', async () => {
    const model = build({ season: 6 });
    const options = { series, range: { from: 110, to: 140 } };
    const rolling = await evaluateForecaster(model, { ...options, recalibrateFrom: 60 });
    expect(rolling.windows).toBe(28);
    expect(rolling.features[0]!.mae).toBe((await evaluateForecaster(model, options)).features[0]!.mae);
    expect(rolling.features[0]!.intervals[0]!.covered).toBeGreaterThan(0.6);
    // The last forecast begins at row 137; rows from there on come into no interval.
    const changed = { ...series, values: series.values.map((value, i) => (i < 2 * 137 ? value : -value)) };
    const other = await evaluateForecaster(model, { ...options, series: changed, recalibrateFrom: 60 });
    expect(other.features[0]!.intervals[0]!.width).toBe(rolling.features[0]!.intervals[0]!.width);
    await expect(evaluateForecaster(model, { ...options, recalibrateFrom: 120 })).rejects.toThrow(/recalibrateFrom/);
    await expect(evaluateForecaster(model, { ...options, range: { from: 0, to: 60 }, season: 30 })).rejects.toThrow(
      /more than a season must lie before/,
    );
    model.dispose();
  });
});

describe('forecast', () => {
  it('has intervals inside each other around the point, in units of the series', async () => {
    const model = build({ intervals: [0.9, 0.5], transform: 'log', season: 6 });
    const before = tf.memory().numTensors;
    const told = await forecast(model, seasonal(20), { horizon: 2 });
    expect(tf.memory().numTensors).toBe(before);
    expect(told.map(({ name, point }) => [name, point.length])).toEqual([
      ['sales', 2],
      ['orders', 2],
    ]);
    for (const { point, intervals } of told) {
      expect(intervals.map(({ coverage }) => coverage)).toEqual([0.5, 0.9]);
      for (const h of [0, 1]) {
        const ordered = [
          intervals[1]!.lower[h]!,
          intervals[0]!.lower[h]!,
          point[h]!,
          intervals[0]!.upper[h]!,
          intervals[1]!.upper[h]!,
        ];
        expect(ordered).toEqual(ordered.toSorted((a, b) => a - b));
      }
    }
    model.dispose();
  });

  it('says what is wrong', async () => {
    const model = build({ season: 6 });
    await expect(forecast(model, seasonal(13))).rejects.toThrow('the history is too short, expected ≥ 14 rows, got 13');
    await expect(forecast(model, seasonal(20), { horizon: 4 })).rejects.toThrow(/expected ≤ 3, got 4. Train a model/);
    await expect(forecast(model, seriesOf({ a: [1, 2] }))).rejects.toThrow(/features that the model was trained on/);
    model.output.bias!.assign(tf.fill([18], Number.NaN));
    await expect(forecast(model, seasonal(20))).rejects.toThrow(/every quantile must be finite/);
    model.dispose();
  });
});

describe('files', () => {
  it('come back as they were, with their calibration', async () => {
    const series = seasonal(60);
    const model = build({ transform: 'log', statistics: seriesStatistics(series, { transform: 'log' }) });
    await calibrate(model, { series, range: { from: 30, to: 60 } });
    const path = join(folder, 'forecaster.safetensors');
    await saveForecaster(path, { model, names: series.names, details: { by: 'test' } });
    const loaded = await loadForecaster(path);
    expect(loaded).toMatchObject({ names: ['sales', 'orders'], details: { by: 'test' }, checkpoint: null });
    expect(await forecast(loaded.model, series)).toEqual(await forecast(model, series));
    const half = decodeForecaster(await encodeForecaster({ model, names: series.names, dtype: 'F16' }));
    const [a, b] = [await forecast(half.model, series), await forecast(model, series)];
    expect(a[0]!.point[0]! / b[0]!.point[0]!).toBeCloseTo(1, 2);
    for (const each of [model, loaded.model, half.model]) each.dispose();
  });

  it('are refused when damaged or of another kind', async () => {
    const before = tf.memory().numTensors;
    const path = join(folder, 'forecaster.safetensors');
    const bytes = readFileSync(path);
    writeFileSync(join(folder, 'cut.safetensors'), bytes.subarray(0, bytes.length - 9));
    await expect(loadForecaster(join(folder, 'cut.safetensors'))).rejects.toThrow(FormatError);
    await expect(loadForecaster(join(folder, 'none.safetensors'))).rejects.toThrow(/there is no such file/);
    const text = Buffer.from(bytes).toString('latin1').replace('"version":"1"', '"version":"9"');
    expect(() => decodeForecaster(Buffer.from(text, 'latin1'))).toThrow(/version must be known, expected 1, got 9/);
    expect(tf.memory().numTensors).toBe(before);
  });
});
