import { Rng } from '@ostinato/core';
import { type Series, type SeriesParts, splitSeries } from '@ostinato/data';
import {
  describeForecaster,
  evaluateForecaster,
  Forecaster,
  type ForecasterTrainingOptions,
  seriesStatistics,
  trainForecaster,
} from '@ostinato/tasks/forecasting';
import { loadForecaster } from '@ostinato/tasks/forecasting/node';
import type { Json } from '@ostinato/training';
import type { Command } from 'commander';
import { bundled } from '../bundled.ts';
import { bundledHelp, forBundled } from '../bundled-options.ts';
import { startEngine } from '../common.ts';
import { badInput } from '../failure.ts';
import { type ForecastingTrainOptions, forPassengers, withForecastingOptions } from '../forecasting-options.ts';
import { createOutput } from '../output.ts';
import { emptyFolder, freshFolder } from '../run-folder.ts';
import { placesOf, readSeriesFile, type SeriesReading } from '../series-data.ts';
import {
  dataFile,
  type Resumed,
  resumedRecord,
  resumedRun,
  runSession,
  sameFile,
  type TaskRecord,
  type TaskSession,
} from '../task-session.ts';
import { givenOptions } from '../train-options.ts';
import { forecasterMeasured } from './evaluate-forecasting.ts';

/** What a run keeps of how its series is read and cut. */
interface Reading extends SeriesReading {
  readonly test: number;
}

/** `ostinato train forecasting`. */
export function addTrainForecasting(train: Command): void {
  withForecastingOptions(train.command('forecasting'))
    .description('train on a series of numbers: how it goes on, with prediction intervals')
    .addHelpText(
      'after',
      `
Examples:
  ostinato train forecasting
  ostinato train forecasting --data temperatures.csv --input 28 --horizon 7 --normalization training
  ostinato train forecasting --data sales.csv --columns sales,price --targets sales --season 52 --transform log --intervals 0.5,0.9
  ostinato train forecasting --resume runs/forecasting

${bundledHelp(forPassengers)}`,
    )
    .action(async (options: ForecastingTrainOptions, command: Command) => {
      const output = createOutput(options);
      if (options.resume === undefined) {
        const open = await prepareFresh(forBundled(options, givenOptions(command), forPassengers));
        await startEngine(output, options);
        return runSession(output, open());
      }
      const resumed = resumedRun(options.resume, command, ['data', 'steps']);
      await startEngine(output, options);
      return runSession(output, await openResumed(resumed, options, command));
    });
}

/** Reads and checks everything before an engine starts. */
async function prepareFresh(options: ForecastingTrainOptions): Promise<() => TaskSession> {
  const folder = options.out === undefined ? freshFolder('forecasting') : emptyFolder(options.out);
  const { architecture, hidden, heads, validation, test, columns, delimiter } = options;
  if (architecture === 'transformer' && (hidden % heads !== 0 || hidden % 2 !== 0)) {
    throw badInput('--hidden', 'must be even and divisible by --heads', `${hidden} and ${heads}`);
  }
  const path = options.data ?? bundled.series;
  const reading: Reading = { columns, delimiter, test };
  const series = await readSeriesFile(path, reading);
  const targets = options.targets && placesOf('--targets', options.targets, series);
  const parts = splitSeries(series, { validation, test });
  const { season, transform, normalization, input: inputLength, horizon, intervals, layers, dropout } = options;
  const record = recordOf(options, { data: await dataFile(path) }, reading);
  const statistics = seriesStatistics(series, { transform, season, range: parts.train });
  return () => {
    const model = new Forecaster({
      ...{ features: series.shape[1], inputLength, horizon, targets, intervals, transform, season, normalization },
      ...{ architecture, hiddenSize: hidden, numLayers: layers, numHeads: heads, dropout, statistics },
      rng: new Rng(options.seed).split('model'),
    });
    return sessionOf({ record, folder, model, series, parts, checkpoint: null });
  };
}

function recordOf(options: ForecastingTrainOptions, files: TaskRecord['files'], reading: Reading): TaskRecord {
  const { validation, seed, logEvery, checkpointEvery = null, patience } = options;
  const { steps, batch, learningRate, schedule, weightDecay, clipNorm, validateEvery } = options;
  return {
    ...{ task: 'forecasting', files, validation, seed, logEvery, checkpointEvery },
    reading: JSON.parse(JSON.stringify(reading)) as Json,
    training: {
      ...{ steps, batchSize: batch, learningRate, schedule, weightDecay, clipNorm, validateEvery, seed },
      ...(patience === undefined ? {} : { patience }),
    },
  };
}

async function openResumed(resumed: Resumed, options: ForecastingTrainOptions, command: Command): Promise<TaskSession> {
  const { model, ...loaded } = await loadForecaster(resumed.path);
  const { record, checkpoint } = resumedRecord('forecasting', resumed, loaded, command);
  const reading = record.reading as unknown as Reading;
  const series = await readSeriesFile(await sameFile('data', record, { ...options }), reading);
  const parts = splitSeries(series, { validation: record.validation, test: reading.test });
  return sessionOf({ record, folder: resumed.folder, model, series, parts, checkpoint });
}

function sessionOf({
  model,
  series,
  parts,
  ...session
}: Pick<TaskSession, 'record' | 'folder' | 'checkpoint'> & {
  readonly model: Forecaster;
  readonly series: Series;
  readonly parts: SeriesParts;
}): TaskSession {
  const { record, folder, checkpoint } = session;
  const { train: range, validation, test } = parts;
  const [training, held, last] = [range, validation, test].map(({ from, to }) => (to - from).toLocaleString('en-US'));
  const { names } = series;
  return {
    ...session,
    model,
    architecture: model.config.architecture,
    data: {
      fields: { rows: series.shape[0], names, trainingRows: range.to - range.from },
      lines: [
        `${training} rows to train on, ${held} to calibrate with, ${last} to measure with`,
        `reads ${names.join(', ')}; tells ${model.config.targets.map(feature => names[feature]).join(', ')}`,
      ],
    },
    unit: 'quantile loss',
    train: ({ signal, save }) =>
      trainForecaster({
        ...(record.training as unknown as ForecasterTrainingOptions),
        ...{ model, series, range, signal, resume: checkpoint },
        ...(validation.to > validation.from ? { validation } : {}),
        checkpoint: { every: record.checkpointEvery ?? 100, save },
        description: describeForecaster({ model, names, details: record as unknown as Json }),
      }),
    measure: async () =>
      test.to - test.from < model.config.horizon
        ? { lines: [], fields: {} }
        : forecasterMeasured(await evaluateForecaster(model, { series, range: test })),
    next: `forecast --model ${folder.path} --svg forecast.svg`,
  };
}
