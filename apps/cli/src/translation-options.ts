import { tokenizerNames, translatorNames } from '@ostinato/tasks/translation';
import { type Command, Option } from 'commander';
import { type CommonOptions, withCommonOptions } from './common.ts';
import type { PairFiles } from './pair-data.ts';
import { decimal, integer } from './parse.ts';

/** Options of `ostinato train translation`, by their names in commander. */
export interface TranslationTrainOptions extends CommonOptions, PairFiles {
  readonly validationSource?: string;
  readonly validationTarget?: string;
  readonly architecture: (typeof translatorNames)[number];
  readonly size: number;
  readonly feedForward?: number;
  readonly heads: number;
  readonly layers: number;
  readonly cell: 'gru' | 'lstm';
  readonly attention: 'bahdanau' | 'luong' | 'luong-plain';
  readonly dropout: number;
  readonly tokenizer: (typeof tokenizerNames)[number];
  readonly vocabularySize: number;
  readonly separateVocabularies: boolean;
  readonly lowercase: boolean;
  readonly steps: number;
  readonly tokens: number;
  readonly learningRate: number;
  readonly schedule: 'cosine' | 'inverse-square-root' | 'noam' | 'constant';
  readonly warmup?: number;
  readonly labelSmoothing: number;
  readonly averageDecay: number;
  readonly clipNorm: number;
  readonly patience?: number;
  readonly validateEvery: number;
  readonly validation: number;
  readonly seed: number;
  readonly logEvery: number;
  readonly checkpointEvery?: number;
  readonly out?: string;
  readonly resume?: string;
}

/** Adds the options that name sentences and their translations. */
function withPairFiles(command: Command, without: string): Command {
  return command
    .option('--source <file>', 'sentences, one a line')
    .option('--target <file>', 'their translations, line by line')
    .option('--data <file>', `both as columns of one table, .csv or .tsv (${without})`)
    .option('--source-column <name>', 'of --data', 'french')
    .option('--target-column <name>', 'of --data', 'english');
}

/** Adds the options of training a translator. */
export function withTranslationOptions(command: Command): Command {
  withPairFiles(withCommonOptions(command), 'default: messages in French and English that come along');
  return command
    .option('--validation-source <file>', 'sentences to measure with (default: a part that is held out)')
    .option('--validation-target <file>', 'their translations')
    .addOption(new Option('--architecture <name>', 'of the model').choices(translatorNames).default('transformer'))
    .option(
      '--size <width>',
      "of the transformer's vectors, or of recurrent states and tokens",
      integer({ min: 2 }),
      128,
    )
    .option('--feed-forward <width>', 'of the transformer (default: twice --size)', integer({ min: 1 }))
    .option('--heads <count>', 'of the transformer', integer({ min: 1 }), 4)
    .option('--layers <count>', 'of encoder and of decoder', integer({ min: 1 }), 4)
    .addOption(new Option('--cell <kind>', 'of recurrent models').choices(['gru', 'lstm']).default('gru'))
    .addOption(
      new Option('--attention <kind>', 'of recurrent models')
        .choices(['bahdanau', 'luong', 'luong-plain'])
        .default('bahdanau'),
    )
    .option('--dropout <rate>', 'on vectors and behind every part', decimal({ min: 0, below: 1 }), 0.3)
    .addOption(new Option('--tokenizer <kind>', 'what a token is').choices(tokenizerNames).default('bpe'))
    .option('--vocabulary-size <tokens>', 'at most', integer({ min: 2 }), 6000)
    .option('--separate-vocabularies', 'each language has its own', false)
    .option('--lowercase', 'capital letters do not count, and are not written', false)
    .option('--steps <count>', 'of training', integer({ min: 1 }), 2000)
    .option('--tokens <count>', 'of both languages in a step, padding included', integer({ min: 1 }), 4096)
    .option('--learning-rate <rate>', 'the highest; of Adam', decimal({ above: 0 }), 3e-3)
    .addOption(
      new Option('--schedule <kind>', 'of the learning rate behind the warm-up')
        .choices(['cosine', 'inverse-square-root', 'noam', 'constant'])
        .default('cosine'),
    )
    .option(
      '--warmup <steps>',
      'in which the rate rises (default: a tenth of --steps, at most 400)',
      integer({ min: 1 }),
    )
    .option('--label-smoothing <share>', 'of probability, spread over all tokens', decimal({ min: 0, max: 1 }), 0.1)
    .option(
      '--average-decay <rate>',
      'of a moving average of the weights; 0 has none',
      decimal({ min: 0, below: 1 }),
      0.995,
    )
    .option('--clip-norm <norm>', 'largest norm of the gradient; 0 does not clip', decimal({ min: 0 }), 1)
    .option(
      '--patience <count>',
      'stop after so many measurements without a better one (default: never)',
      integer({ min: 1 }),
    )
    .option('--validate-every <steps>', 'the held-out pairs are translated', integer({ min: 1 }), 500)
    .option('--validation <share>', 'part of the pairs that is held out', decimal({ min: 0, below: 1 }), 0.05)
    .option('--seed <number>', 'of everything random', integer({ min: 0 }), 7)
    .option('--log-every <steps>', 'progress is reported', integer({ min: 1 }), 20)
    .option('--checkpoint-every <steps>', 'the run is saved (default: 250)', integer({ min: 1 }))
    .option('--out <folder>', 'where the run is kept (default: a fresh folder in runs/)')
    .option('--resume <folder>', 'go on with a run; its options come from its checkpoint');
}
