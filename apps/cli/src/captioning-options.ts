import { type CaptionerConfig, pictureEncoderNames } from '@ostinato/tasks/captioning';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type CommonOptions, withCommonOptions } from './common.ts';
import { decimal, integer } from './parse.ts';

/** Encoders of pictures: given features are not a file of pictures. */
const encoders = pictureEncoderNames.filter(name => name !== 'features');

/** Options of `ostinato train captioning`, by their names in commander. */
export interface CaptioningTrainOptions extends CommonOptions {
  readonly data?: string;
  readonly validationData?: string;
  readonly fileColumn: string;
  readonly captionColumn: string;
  readonly encoder: NonNullable<CaptionerConfig['encoder']>;
  readonly decoder: NonNullable<CaptionerConfig['decoder']>;
  readonly side: number;
  readonly channels: readonly number[];
  readonly patch: number;
  readonly encoderLayers: number;
  readonly size: number;
  readonly layers: number;
  readonly heads: number;
  readonly dropout: number;
  readonly keepCase: boolean;
  readonly minimumFrequency: number;
  readonly steps: number;
  readonly batch: number;
  readonly learningRate: number;
  readonly schedule: 'constant' | 'cosine';
  readonly warmup?: number;
  readonly weightDecay: number;
  readonly clipNorm: number;
  readonly labelSmoothing: number;
  readonly averageDecay: number;
  readonly shift: number;
  readonly mirror: boolean;
  readonly patience?: number;
  readonly validateEvery: number;
  readonly validation: number;
  readonly seed: number;
  readonly logEvery: number;
  readonly checkpointEvery?: number;
  readonly out?: string;
  readonly resume?: string;
}

function widths(text: string): number[] {
  const list = text.split(',').map(integer({ min: 1 }));
  if (list.length <= 8) return list;
  throw new InvalidArgumentError('There must be at most 8.');
}

/** What suits the emoji that come along, which all lie alike: few large patches, never moved. */
export const forEmoji: Partial<CaptioningTrainOptions> = {
  ...{ encoder: 'patches', patch: 16, shift: 0, dropout: 0.1 },
  ...{ steps: 3000, learningRate: 1e-3, validateEvery: 300 },
};

/** Adds the options of training a captioner. */
export function withCaptioningOptions(command: Command): Command {
  return withCommonOptions(command)
    .option('--data <folder>', 'pictures and captions.tsv (default: emoji with their names, which come along)')
    .option('--validation-data <folder>', 'pictures to measure with (default: a part that is held out)')
    .option('--file-column <name>', 'of captions.tsv', 'file')
    .option('--caption-column <name>', 'of captions.tsv', 'caption')
    .addOption(new Option('--encoder <kind>', 'reads the picture').choices(encoders).default('convolution'))
    .addOption(
      new Option('--decoder <kind>', 'writes the caption').choices(['transformer', 'recurrent']).default('transformer'),
    )
    .option('--side <pixels>', 'height and width that the model sees', integer({ min: 8, max: 512 }), 32)
    .option(
      '--channels <widths>',
      'of the layers of the convolution, each of which halves the picture',
      widths,
      [32, 64, 128],
    )
    .option('--patch <pixels>', 'side of a patch', integer({ min: 1 }), 8)
    .option('--encoder-layers <count>', 'of the transformer over patches', integer({ min: 1 }), 2)
    .option('--size <width>', 'of the vectors', integer({ min: 2 }), 128)
    .option('--layers <count>', 'of the decoder', integer({ min: 1 }), 2)
    .option('--heads <count>', 'of transformers', integer({ min: 1 }), 4)
    .option('--dropout <rate>', 'on vectors and behind every part', decimal({ min: 0, below: 1 }), 0.3)
    .option('--keep-case', 'capital letters count', false)
    .option('--minimum-frequency <count>', 'rarer words become unknown', integer({ min: 1 }), 1)
    .option('--steps <count>', 'of training', integer({ min: 1 }), 1500)
    .option('--batch <captions>', 'of a step', integer({ min: 1 }), 32)
    .option('--learning-rate <rate>', 'the highest; of Adam', decimal({ above: 0 }), 2e-3)
    .addOption(
      new Option('--schedule <kind>', 'of the learning rate behind the warm-up')
        .choices(['cosine', 'constant'])
        .default('cosine'),
    )
    .option(
      '--warmup <steps>',
      'in which the rate rises (default: a tenth of --steps, at most 100)',
      integer({ min: 1 }),
    )
    .option('--weight-decay <rate>', 'decoupled, of matrices', decimal({ min: 0 }), 0.01)
    .option('--clip-norm <norm>', 'largest norm of the gradient; 0 does not clip', decimal({ min: 0 }), 1)
    .option('--label-smoothing <share>', 'of probability, spread over all words', decimal({ min: 0, max: 1 }), 0.1)
    .option(
      '--average-decay <rate>',
      'of a moving average of the weights; 0 has none',
      decimal({ min: 0, below: 1 }),
      0.99,
    )
    .option('--shift <pixels>', 'a picture is moved by at most, anew every time', integer({ min: 0 }), 3)
    .option('--mirror', 'half of the pictures are mirrored: not where captions say left and right', false)
    .option(
      '--patience <count>',
      'stop after so many measurements without a better one (default: never)',
      integer({ min: 1 }),
    )
    .option('--validate-every <steps>', 'the held-out pictures are captioned', integer({ min: 1 }), 150)
    .option('--validation <share>', 'part of the pictures that is held out', decimal({ min: 0, below: 1 }), 0.1)
    .option('--seed <number>', 'of everything random', integer({ min: 0 }), 7)
    .option('--log-every <steps>', 'progress is reported', integer({ min: 1 }), 20)
    .option('--checkpoint-every <steps>', 'the run is saved (default: 250)', integer({ min: 1 }))
    .option('--out <folder>', 'where the run is kept (default: a fresh folder in runs/)')
    .option('--resume <folder>', 'go on with a run; its options come from its checkpoint');
}
