import { forecasterArchitectures, seriesTransforms } from '@ostinato/tasks/forecasting';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type CommonOptions, withCommonOptions } from './common.ts';
import { decimal, integer } from './parse.ts';

/** Options of `ostinato train forecasting`, by their names in commander. */
export interface ForecastingTrainOptions extends CommonOptions {
  readonly data?: string;
  readonly columns?: readonly string[];
  readonly targets?: readonly string[];
  readonly delimiter?: string;
  readonly architecture: (typeof forecasterArchitectures)[number];
  readonly input: number;
  readonly horizon: number;
  readonly season: number;
  readonly transform: (typeof seriesTransforms)[number];
  readonly normalization: 'window' | 'training';
  readonly intervals: readonly number[];
  readonly hidden: number;
  readonly layers: number;
  readonly heads: number;
  readonly dropout: number;
  readonly steps: number;
  readonly batch: number;
  readonly learningRate: number;
  readonly schedule: 'constant' | 'cosine';
  readonly weightDecay: number;
  readonly clipNorm: number;
  readonly patience?: number;
  readonly validateEvery: number;
  readonly validation: number;
  readonly test: number;
  readonly seed: number;
  readonly logEvery: number;
  readonly checkpointEvery?: number;
  readonly out?: string;
  readonly resume?: string;
}

/** What suits the passengers that come along: a year ahead from a year, as growth against the year before. */
export const forPassengers: Partial<ForecastingTrainOptions> = {
  ...{ input: 12, horizon: 12, season: 12, transform: 'log', normalization: 'training', hidden: 32, dropout: 0.3 },
  ...{ steps: 100, learningRate: 1e-3, validation: 0.4, validateEvery: 50 },
};

const names = (text: string): string[] => text.split(',').map(name => name.trim());

function shares(text: string): number[] {
  const values = names(text).map(decimal({ above: 0, below: 1 }));
  if (new Set(values).size === values.length) return values;
  throw new InvalidArgumentError('They must differ.');
}

/** Adds the options of training a forecaster. */
export function withForecastingOptions(command: Command): Command {
  return withCommonOptions(command)
    .option('--data <file>', 'rows in order of time, .csv or .tsv (default: passengers of an airline that come along)')
    .option('--columns <names>', 'what the model reads, with commas between (default: every column of numbers)', names)
    .option('--targets <names>', 'what it tells (default: all that it reads)', names)
    .option('--delimiter <character>', 'between columns (default: a comma; a tab in .tsv)')
    .addOption(new Option('--architecture <name>', 'of the model').choices(forecasterArchitectures).default('lstm'))
    .option('--input <rows>', 'that it reads', integer({ min: 1 }), 28)
    .option('--horizon <rows>', 'that it tells', integer({ min: 1 }), 7)
    .option('--season <rows>', 'differences to so many rows before; 0 has none', integer({ min: 0 }), 0)
    .addOption(new Option('--transform <kind>', 'of values, before all else').choices(seriesTransforms).default('none'))
    .addOption(
      new Option('--normalization <kind>', 'by the moments of each window, or of the training part')
        .choices(['window', 'training'])
        .default('window'),
    )
    .option('--intervals <shares>', 'of future values that intervals hold, with commas between', shares, [0.8])
    .option('--hidden <size>', 'width of the network', integer({ min: 1 }), 64)
    .option('--layers <count>', 'on top of each other', integer({ min: 1 }), 1)
    .option('--heads <count>', 'of the transformer', integer({ min: 1 }), 4)
    .option('--dropout <rate>', 'between layers and before the output', decimal({ min: 0, below: 1 }), 0)
    .option('--steps <count>', 'of training', integer({ min: 1 }), 600)
    .option('--batch <windows>', 'in a step', integer({ min: 1 }), 32)
    .option('--learning-rate <rate>', 'of Adam', decimal({ above: 0 }), 2e-3)
    .addOption(
      new Option('--schedule <kind>', 'of the learning rate; cosine falls to a twentieth')
        .choices(['constant', 'cosine'])
        .default('cosine'),
    )
    .option('--weight-decay <rate>', 'of matrices', decimal({ min: 0 }), 0)
    .option('--clip-norm <norm>', 'largest norm of the gradient; 0 does not clip', decimal({ min: 0 }), 1)
    .option(
      '--patience <count>',
      'stop after so many measurements without a better one (default: never)',
      integer({ min: 1 }),
    )
    .option('--validate-every <steps>', 'the held-out part is told', integer({ min: 1 }), 100)
    .option(
      '--validation <share>',
      'of the rows before the test part: calibrates intervals',
      decimal({ min: 0, below: 1 }),
      0.2,
    )
    .option(
      '--test <share>',
      'of the rows, at the end, that the model is measured on',
      decimal({ min: 0, below: 1 }),
      0.2,
    )
    .option('--seed <number>', 'of everything random', integer({ min: 0 }), 7)
    .option('--log-every <steps>', 'progress is reported', integer({ min: 1 }), 20)
    .option('--checkpoint-every <steps>', 'the run is saved (default: 100)', integer({ min: 1 }))
    .option('--out <folder>', 'where the run is kept (default: a fresh folder in runs/)')
    .option('--resume <folder>', 'go on with a run; its options come from its checkpoint');
}
