import { encoderNames, type PoolingName, poolingNames } from '@ostinato/tasks/sentiment';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type CommonOptions, withCommonOptions } from './common.ts';
import { decimal, integer } from './parse.ts';

/** Options of `ostinato train sentiment` and `train tagging`, by their names in commander. */
export interface TextTrainOptions extends CommonOptions {
  readonly data?: string;
  readonly validationData?: string;
  readonly format: 'auto' | 'lines' | 'csv' | 'tsv';
  readonly textColumn: string;
  readonly labelColumn: string;
  readonly encoder: (typeof encoderNames)[number];
  readonly pooling: readonly PoolingName[];
  readonly embedding: number;
  readonly hidden: number;
  readonly layers: number;
  readonly heads: number;
  readonly kernels: readonly number[];
  readonly oneDirection: boolean;
  readonly dropout: number;
  readonly embeddingDropout: number;
  readonly wordDropout: number;
  readonly tokenizer: 'word' | 'bpe';
  readonly vocabularySize?: number;
  readonly minimumFrequency: number;
  readonly keepCase: boolean;
  readonly vectors?: string;
  readonly freezeVectors: boolean;
  readonly epochs: number;
  readonly batch: number;
  readonly learningRate: number;
  readonly schedule: 'constant' | 'cosine';
  readonly weightDecay: number;
  readonly clipNorm: number;
  readonly labelSmoothing: number;
  readonly averageDecay: number;
  readonly patience?: number;
  readonly validation: number;
  readonly seed: number;
  readonly logEvery: number;
  readonly checkpointEvery?: number;
  readonly out?: string;
  readonly resume?: string;
}

function poolings(text: string): PoolingName[] {
  const names = text.split(',') as PoolingName[];
  if (names.every(name => poolingNames.includes(name)) && new Set(names).size === names.length) return names;
  throw new InvalidArgumentError(`It must be of ${poolingNames.join(', ')}, with commas between.`);
}

function sizes(text: string): number[] {
  return text.split(',').map(integer({ min: 1 }));
}

/** Adds the options of training a model of texts. */
export function withTextTrainOptions(command: Command, task: 'sentiment' | 'tagging'): Command {
  withCommonOptions(command);
  const isSentiment = task === 'sentiment';
  command.option('--data <file>', 'what to train on (default: what comes along)');
  command.option('--validation-data <file>', 'what to measure with (default: a part of --data that is held out)');
  if (isSentiment) {
    command
      .addOption(
        new Option('--format <kind>', 'of the files: `label text` lines, or columns with names (auto: by .csv, .tsv)')
          .choices(['auto', 'lines', 'csv', 'tsv'])
          .default('auto'),
      )
      .option('--text-column <name>', 'of csv and tsv', 'text')
      .option('--label-column <name>', 'of csv and tsv', 'label');
  }
  command
    .addOption(new Option('--encoder <name>', 'what reads the tokens').choices(encoderNames).default('lstm'))
    .option('--embedding <size>', "width of a token's vector (default: 100, or that of --vectors)", integer({ min: 1 }))
    .option('--hidden <size>', 'width of a recurrent direction, filters, transformer', integer({ min: 1 }), 150)
    .option('--layers <count>', 'on top of each other', integer({ min: 1 }), 1)
    .option('--heads <count>', 'of the transformer', integer({ min: 1 }), 5)
    .option('--kernels <sizes>', 'widths of filters, with commas between', sizes, [3, 4, 5])
    .option('--one-direction', 'recurrent layers read forward only', false);
  if (isSentiment) {
    command.option('--pooling <kinds>', `of ${poolingNames.join(', ')}; several with commas between`, poolings, [
      'max',
    ]);
  }
  return command
    .option(
      '--dropout <rate>',
      'between layers and before the output',
      decimal({ min: 0, below: 1 }),
      isSentiment ? 0.3 : 0.5,
    )
    .option('--embedding-dropout <rate>', "on elements of tokens' vectors", decimal({ min: 0, below: 1 }), 0.3)
    .option('--word-dropout <rate>', 'of whole tokens', decimal({ min: 0, below: 1 }), isSentiment ? 0.1 : 0.05)
    .addOption(new Option('--tokenizer <kind>', 'what a token is').choices(['word', 'bpe']).default('word'))
    .option(
      '--vocabulary-size <tokens>',
      'keep the most frequent ones (default: all words; 4000 for bpe)',
      integer({ min: 2 }),
    )
    .option('--minimum-frequency <count>', 'rarer words are unknown', integer({ min: 1 }), 1)
    .option('--keep-case', 'capital letters count', false)
    .option('--vectors <file>', 'pretrained vectors as text: GloVe, fastText, word2vec (needs --tokenizer word)')
    .option('--freeze-vectors', 'the vectors stay as they are', false)
    .option('--epochs <count>', 'how often everything is read', integer({ min: 1 }), isSentiment ? 12 : 15)
    .option('--batch <count>', 'examples in a step', integer({ min: 1 }), 16)
    .option('--learning-rate <rate>', 'of Adam', decimal({ above: 0 }), 3e-3)
    .addOption(
      new Option('--schedule <kind>', 'of the learning rate; cosine falls to a twentieth')
        .choices(['constant', 'cosine'])
        .default('constant'),
    )
    .option('--weight-decay <rate>', 'of matrices', decimal({ min: 0 }), isSentiment ? 0.1 : 0)
    .option('--clip-norm <norm>', 'largest norm of the gradient; 0 does not clip', decimal({ min: 0 }), 1)
    .option('--label-smoothing <share>', 'of probability, spread over all classes', decimal({ min: 0, max: 1 }), 0)
    .option(
      '--average-decay <rate>',
      'of a moving average of the weights; 0 has none',
      decimal({ min: 0, below: 1 }),
      isSentiment ? 0.95 : 0,
    )
    .option('--patience <epochs>', 'stop after so many without a better one (default: never)', integer({ min: 1 }))
    .option('--validation <share>', 'part of the data that is held out', decimal({ min: 0, below: 1 }), 0.1)
    .option('--seed <number>', 'of everything random', integer({ min: 0 }), 7)
    .option('--log-every <steps>', 'progress is reported', integer({ min: 1 }), 10)
    .option('--checkpoint-every <steps>', 'the run is saved (default: after every epoch)', integer({ min: 1 }))
    .option('--out <folder>', 'where the run is kept (default: a fresh folder in runs/)')
    .option('--resume <folder>', 'go on with a run; its options come from its checkpoint');
}
