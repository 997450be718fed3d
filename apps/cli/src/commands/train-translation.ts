import { Rng } from '@ostinato/core';
import {
  createTranslator,
  describeTranslator,
  evaluate,
  type SentencePair,
  type TranslationTokenizers,
  type Translator,
  type TranslatorConfig,
  type TranslatorTrainingOptions,
  trainTokenizers,
  trainTranslator,
} from '@ostinato/tasks/translation';
import { loadTranslator } from '@ostinato/tasks/translation/node';
import type { Json } from '@ostinato/training';
import type { Command } from 'commander';
import { startEngine } from '../common.ts';
import { badInput } from '../failure.ts';
import { createOutput } from '../output.ts';
import { holdOutPairs, pairPaths, readPairFiles } from '../pair-data.ts';
import { emptyFolder, freshFolder } from '../run-folder.ts';
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
import type { Parts } from '../text-data.ts';
import { type TranslationTrainOptions, withTranslationOptions } from '../translation-options.ts';
import { translationMeasured } from './evaluate-translation.ts';

/** `ostinato train translation`. */
export function addTrainTranslation(train: Command): void {
  withTranslationOptions(train.command('translation'))
    .description('train a translator on sentences and their translations')
    .addHelpText(
      'after',
      `
Examples:
  ostinato train translation
  ostinato train translation --source train.de --target train.en --validation-source val.de --validation-target val.en \\
    --lowercase --steps 10000 --average-decay 0.999
  ostinato train translation --data pairs.tsv --source-column en --target-column fr --architecture recurrent --size 256 --layers 1
  ostinato train translation --resume runs/translation`,
    )
    .action(async (options: TranslationTrainOptions, command: Command) => {
      const output = createOutput(options);
      if (options.resume === undefined) {
        const open = await prepareFresh(options);
        await startEngine(output, options);
        return runSession(output, open());
      }
      const files = ['source', 'target', 'data', 'validationSource', 'validationTarget'];
      const resumed = resumedRun(options.resume, command, [...files, 'steps']);
      await startEngine(output, options);
      return runSession(output, await openResumed(resumed, options, command));
    });
}

type Files = Pick<
  TranslationTrainOptions,
  'source' | 'target' | 'data' | 'sourceColumn' | 'targetColumn' | 'validationSource' | 'validationTarget'
>;

async function readParts(
  { validationSource, validationTarget, ...files }: Files,
  held: { readonly validation: number; readonly seed: number },
): Promise<Parts<SentencePair>> {
  const pairs = await readPairFiles(files);
  if (validationSource === undefined && validationTarget === undefined) return holdOutPairs(pairs, held);
  if (validationSource === undefined || validationTarget === undefined) {
    const option = `--validation-${validationSource === undefined ? 'source' : 'target'}`;
    throw badInput(option, 'both files must be named', 'one');
  }
  const own = { ...files, data: undefined, source: validationSource, target: validationTarget };
  return { training: pairs, validation: await readPairFiles(own) };
}

/** Reads and checks everything before an engine starts. */
async function prepareFresh(options: TranslationTrainOptions): Promise<() => TaskSession> {
  const folder = options.out === undefined ? freshFolder('translation') : emptyFolder(options.out);
  const { architecture, size, heads, validationSource, validationTarget } = options;
  if (architecture === 'transformer' && (size % heads !== 0 || size % 2 !== 0)) {
    throw badInput('--size', 'must be even and divisible by --heads', `${size} and ${heads}`);
  }
  const parts = await readParts(options, options);
  const { tokenizer: type, vocabularySize, lowercase, separateVocabularies } = options;
  const tokenizers = trainTokenizers({
    ...{ type, vocabularySize, lowercase, joint: !separateVocabularies, pairs: parts.training },
  });
  const paths = { ...pairPaths(options), ...(validationSource ? { validationSource, validationTarget } : {}) };
  const files: Record<string, Awaited<ReturnType<typeof dataFile>>> = {};
  for (const [name, path] of Object.entries(paths)) files[name] = await dataFile(path!);
  const record = recordOf(options, files);
  return () => {
    const model = createTranslator({ ...configOf(options, tokenizers), rng: new Rng(options.seed).split('model') });
    return sessionOf({ record, folder, model, tokenizers, parts, checkpoint: null });
  };
}

function configOf(
  { architecture, size, feedForward, heads, layers, cell, attention, dropout }: TranslationTrainOptions,
  { source, target }: TranslationTokenizers,
): TranslatorConfig {
  const vocabularies = {
    vocabularySize: source.vocabularySize,
    targetVocabularySize: source === target ? undefined : target.vocabularySize,
  };
  const shared = { ...vocabularies, encoderLayers: layers, decoderLayers: layers, dropout };
  return architecture === 'recurrent'
    ? { ...shared, architecture, cell, attention, embeddingSize: size, hiddenSize: size }
    : { ...shared, architecture, size, feedForwardSize: feedForward, numHeads: heads };
}

function recordOf(options: TranslationTrainOptions, files: TaskRecord['files']): TaskRecord {
  const { validation, seed, logEvery, checkpointEvery = null, sourceColumn, targetColumn, lowercase } = options;
  const { steps, tokens, learningRate, schedule, warmup, labelSmoothing, averageDecay, clipNorm } = options;
  const { patience, validateEvery } = options;
  return {
    ...{ task: 'translation', files, validation, seed, logEvery, checkpointEvery },
    reading: { sourceColumn, targetColumn, lowercase },
    training: {
      ...{ steps, maximumTokens: tokens, learningRate, schedule, labelSmoothing, averageDecay, clipNorm },
      ...{ validateEvery, seed },
      ...(warmup === undefined ? {} : { warmup }),
      ...(patience === undefined ? {} : { patience }),
    },
  };
}

async function openResumed(resumed: Resumed, options: TranslationTrainOptions, command: Command): Promise<TaskSession> {
  const loaded = await loadTranslator(resumed.path);
  const { record, checkpoint } = resumedRecord('translation', resumed, loaded, command);
  const files: Record<string, string> = {};
  for (const name of Object.keys(record.files)) {
    files[name] = await sameFile(name, record, options as unknown as Record<string, unknown>);
  }
  const reading = record.reading as unknown as Pick<Files, 'sourceColumn' | 'targetColumn'>;
  const parts = await readParts({ ...files, ...reading }, record);
  return sessionOf({ ...loaded, record, folder: resumed.folder, checkpoint, parts });
}

function sessionOf({
  model,
  tokenizers,
  parts,
  ...session
}: Pick<TaskSession, 'record' | 'folder' | 'checkpoint'> & {
  readonly model: Translator;
  readonly tokenizers: TranslationTokenizers;
  readonly parts: Parts<SentencePair>;
}): TaskSession {
  const { record, folder, checkpoint } = session;
  const { training: pairs, validation } = parts;
  const { lowercase } = record.reading as unknown as { readonly lowercase: boolean };
  const bleu = { lowercase };
  const count = (value: number): string => value.toLocaleString('en-US');
  const vocabularies = [...new Set([tokenizers.source, tokenizers.target])].map(one => count(one.vocabularySize));
  return {
    ...session,
    model,
    architecture: model.config.architecture!,
    data: {
      fields: { trainingPairs: pairs.length, validationPairs: validation.length },
      lines: [
        `${count(pairs.length)} pairs to train on, ${count(validation.length)} to measure with`,
        `vocabulary ${vocabularies.join(' and ')}`,
      ],
    },
    unit: 'nats per token',
    train: ({ signal, save }) =>
      trainTranslator({
        ...(record.training as unknown as TranslatorTrainingOptions),
        ...{ model, tokenizers, pairs, validation, bleu, signal, resume: checkpoint },
        checkpoint: { every: record.checkpointEvery ?? 250, save },
        description: describeTranslator({ model, tokenizers, details: record as unknown as Json }),
      }),
    measure: async () =>
      validation.length === 0
        ? { lines: [], fields: {} }
        : translationMeasured(validation, await evaluate({ model, tokenizers, pairs: validation, bleu })),
    next: `translate --model ${folder.path} --attention '${validation[0]?.source.replaceAll("'", '’') ?? 'Bonjour'}'`,
  };
}
