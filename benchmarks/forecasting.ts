import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Rng, summary } from '@ostinato/core';
import { type Series, seriesOf, splitSeries } from '@ostinato/data';
import {
  evaluateForecaster,
  type FeatureEvaluation,
  Forecaster,
  type ForecasterConfig,
  type ForecasterTrainingOptions,
  seriesStatistics,
  trainForecaster,
} from '@ostinato/tasks/forecasting';
import * as tf from '@tensorflow/tfjs-core';
import type { Benchmark, Figures } from './report.ts';

/** How a series is read, and what it is trained with. */
interface Setting {
  readonly file: string;
  /** Share of the rows before the test part that intervals are calibrated on. */
  readonly validation: number;
  /** m of the seasonal-naive forecast beside. */
  readonly season: number;
  readonly shape: Omit<ForecasterConfig, 'features' | 'statistics' | 'architecture'>;
  readonly training: Omit<ForecasterTrainingOptions, 'seed'>;
}

const airline = 'airline-passengers';
const temperatures: Omit<Setting, 'file'> = {
  validation: 0.2,
  season: 365,
  shape: { inputLength: 28, horizon: 7, normalization: 'training', hiddenSize: 32 },
  training: { steps: 600, batchSize: 64 },
};
const settings: readonly Setting[] = [
  {
    file: airline,
    // Four years: with two, a year ahead, there were no two forecasts that share no month.
    validation: 0.4,
    season: 12,
    shape: {
      ...{ inputLength: 12, horizon: 12, transform: 'log', season: 12, normalization: 'training' },
      ...{ hiddenSize: 32, dropout: 0.3 },
    },
    training: { steps: 100, learningRate: 1e-3 },
  },
  { file: 'daily-min-temperatures', ...temperatures },
  { file: 'daily-max-temperatures', ...temperatures },
];
const architectures = ['lstm', 'transformer'] as const;

/**
 * LSTM and transformer on the last 20 % of three series, beside the seasonal-naive forecast: a forecast of the whole horizon from every
 * row, 80 % intervals. `relativeMae` is the mean absolute error over that of the seasonal-naive forecast on the same rows, `mase` over
 * that of its forecasts on the rows before. Intervals are calibrated once on the validation part (`covered`), and anew before each
 * forecast with those that have come out by then (`coveredRolling`).
 */
export const forecasting: Benchmark = async (report, { quick }) => {
  const folder = join(process.env['OSTINATO_DATA'] ?? '../shared/data', 'timeseries-jbrownlee');
  if (!existsSync(folder)) return { skipped: `no ${folder}; OSTINATO_DATA names the folder of the data` };
  await tf.setBackend('ostinato-cpu');
  const figures: Figures = {};
  for (const setting of settings) {
    const series = readColumn(join(folder, `${setting.file}.csv`));
    for (const architecture of architectures) {
      const runs: Awaited<ReturnType<typeof measure>>[] = [];
      for (const seed of quick ? [1] : [1, 2, 3]) {
        const measured = await measure(series, setting, architecture, seed);
        runs.push(measured);
        report(`${setting.file}, ${architecture}, seed ${seed}: ${JSON.stringify(measured)}`);
      }
      const mean = (pick: (run: (typeof runs)[number]) => number): number =>
        runs.reduce((sum, run) => sum + pick(run), 0) / runs.length;
      figures[`${setting.file} ${architecture}`] = {
        relativeMae: mean(run => run.relativeMae),
        mase: mean(run => run.mase),
        covered: mean(run => run.covered),
        coveredRolling: mean(run => run.coveredRolling),
        runs,
      };
    }
    const { file, ...rest } = setting;
    figures[`${file} setting`] = { rows: series.shape[0], ...rest };
  }
  return figures;
};

async function measure(
  series: Series,
  { validation, season, shape, training }: Setting,
  architecture: (typeof architectures)[number],
  seed: number,
) {
  const parts = splitSeries(series, { validation, test: 0.2 });
  const { transform, season: difference } = shape;
  const statistics = seriesStatistics(series, { transform, season: difference, range: parts.train });
  const model = new Forecaster({ features: 1, ...shape, architecture, statistics, rng: new Rng(seed).split('model') });
  const start = performance.now();
  const run = trainForecaster({
    ...{ model, series, range: parts.train, validation: parts.validation, validateEvery: 1e6, seed, ...training },
  });
  for await (const event of run)
    if (event.event === 'stopped' && event.reason !== 'steps') throw new Error(event.reason);
  const seconds = (performance.now() - start) / 1000;
  const of = async (recalibrateFrom?: number): Promise<FeatureEvaluation & { windows: number }> => {
    const { windows, features } = await evaluateForecaster(model, {
      series,
      range: parts.test,
      season,
      recalibrateFrom,
    });
    return { windows, ...features[0]! };
  };
  const [once, rolling] = [await of(), await of(parts.validation.from)];
  const size = summary(model).total;
  model.dispose();
  const { mae, smape, mase, relativeMae, seasonalNaive, pinball } = once;
  return {
    ...{ forecasts: once.windows, parameters: size, seconds, mae, smape, mase, relativeMae, seasonalNaive },
    meanPinball: pinball.reduce((sum, { loss }) => sum + loss, 0) / pinball.length,
    covered: once.intervals[0]!.covered,
    width: once.intervals[0]!.width,
    coveredRolling: rolling.intervals[0]!.covered,
    widthRolling: rolling.intervals[0]!.width,
  };
}

/** The second column of a CSV file with a heading. */
function readColumn(path: string): Series {
  const lines = readFileSync(path, 'utf8').trim().split('\n').slice(1);
  return seriesOf({ value: lines.map(line => Number(line.split(',')[1])) });
}
