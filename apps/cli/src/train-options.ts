import { type Architecture, architectures } from '@ostinato/tasks/language-modeling';
import { type Command, Option } from 'commander';
import { type CommonOptions, withCommonOptions } from './common.ts';
import { decimal, integer } from './parse.ts';

/** Names for `--preset`. */
type PresetName = 'nanogpt-cpu';

/** Options of `ostinato train …`, by their names in commander. */
export interface TrainOptions extends CommonOptions {
  readonly preset?: PresetName;
  readonly data?: string;
  readonly level: 'character' | 'word';
  readonly vocabularySize?: number;
  readonly architecture: Architecture;
  readonly hidden: number;
  readonly embedding: number;
  readonly layers: number;
  readonly heads: number;
  readonly dropout: number;
  readonly tied: boolean;
  readonly batch: number;
  readonly length: number;
  readonly batches: 'windows' | 'blocks' | 'streams';
  readonly bptt?: number;
  readonly steps: number;
  readonly learningRate: number;
  readonly schedule: 'constant' | 'cosine';
  readonly finalRate: number;
  readonly warmup: number;
  readonly beta2: number;
  readonly weightDecay: number;
  readonly clipNorm: number;
  readonly validation: number;
  readonly seed: number;
  readonly logEvery: number;
  readonly validateEvery: number;
  readonly checkpointEvery: number;
  readonly sampleEvery: number;
  readonly out?: string;
  readonly resume?: string;
}

/** Adds the options of training to a subcommand of `train`. */
export function withTrainOptions(command: Command): Command {
  withCommonOptions(command);
  return command
    .addOption(new Option('--preset <name>', 'options that go together').choices(presetNames))
    .addOption(
      new Option('--architecture <name>', 'recurrent, or gpt: a transformer').choices(architectures).default('lstm'),
    )
    .option('--hidden <size>', 'width of the hidden state', integer({ min: 1 }), 1024)
    .option('--embedding <size>', "width of a token's vector (recurrent)", integer({ min: 1 }), 256)
    .option('--layers <count>', 'layers', integer({ min: 1 }), 1)
    .option('--heads <count>', 'attention heads (gpt)', integer({ min: 1 }), 4)
    .option('--dropout <rate>', 'between layers and before the output', decimal({ min: 0, below: 1 }), 0)
    .option('--tied', 'the output shares the weights of the embedding (needs --embedding = --hidden)', false)
    .option('--batch <rows>', 'windows in a step', integer({ min: 1 }), 32)
    .option('--length <tokens>', 'tokens in a window; of gpt its whole context', integer({ min: 1 }), 100)
    .addOption(
      new Option(
        '--batches <kind>',
        'windows: anywhere, from a zero state; blocks: each once an epoch; streams: one after another, state carried',
      )
        .choices(['windows', 'blocks', 'streams'])
        .default('windows'),
    )
    .option('--bptt <tokens>', 'how far gradients flow back (default: --length)', integer({ min: 1 }))
    .option('--steps <count>', 'training steps', integer({ min: 1 }), 2000)
    .option('--learning-rate <rate>', 'of Adam', decimal({ above: 0 }), 5e-3)
    .addOption(
      new Option('--schedule <kind>', 'of the learning rate; cosine falls to --final-rate')
        .choices(['constant', 'cosine'])
        .default('constant'),
    )
    .option('--final-rate <share>', 'of --learning-rate at the last step', decimal({ min: 0, max: 1 }), 0.05)
    .option('--warmup <steps>', 'in which the learning rate rises', integer({ min: 0 }), 0)
    .option('--beta2 <value>', 'of Adam', decimal({ min: 0, below: 1 }), 0.999)
    .option('--weight-decay <rate>', 'of matrices', decimal({ min: 0 }), 0)
    .option('--clip-norm <norm>', 'largest norm of the gradient; 0 does not clip', decimal({ min: 0 }), 1)
    .option('--validation <share>', 'part of the data that is held out', decimal({ min: 0, below: 1 }), 0.1)
    .option('--seed <number>', 'of everything random', integer({ min: 0 }), 7)
    .option('--log-every <steps>', 'progress is reported', integer({ min: 1 }), 10)
    .option('--validate-every <steps>', 'the held-out data is evaluated', integer({ min: 1 }), 100)
    .option('--checkpoint-every <steps>', 'the run is saved', integer({ min: 1 }), 100)
    .option('--sample-every <steps>', 'the model writes something; 0 is never', integer({ min: 0 }), 500)
    .option('--out <folder>', 'where the run is kept (default: a fresh folder in runs/)')
    .option('--resume <folder>', 'go on with a run; its options come from its checkpoint');
}

/** Options that go together, by name; the user's own come before them. */
const presets: Readonly<Record<PresetName, Partial<TrainOptions>>> = {
  /** nanoGPT's configuration for a CPU. */
  'nanogpt-cpu': {
    ...{ architecture: 'gpt', layers: 4, heads: 4, hidden: 128, length: 64, batch: 12, dropout: 0, tied: true },
    ...{
      steps: 2000,
      learningRate: 1e-3,
      schedule: 'cosine',
      finalRate: 0.1,
      warmup: 100,
      beta2: 0.99,
      weightDecay: 0.1,
    },
    ...{ batches: 'windows', clipNorm: 1 },
  },
};

const presetNames = Object.keys(presets) as PresetName[];

/** The options with those of their preset in place of defaults. */
export function withPreset(options: TrainOptions, given: ReadonlySet<string>): TrainOptions {
  if (options.preset === undefined) return options;
  const chosen = Object.entries(presets[options.preset]).filter(([name]) => !given.has(name));
  return { ...options, ...Object.fromEntries(chosen) };
}

/** Names of the options that the user gave. */
export function givenOptions(command: Command): Set<string> {
  const names = command.options.map(option => option.attributeName());
  return new Set(names.filter(name => command.getOptionValueSource(name) === 'cli'));
}
