import { basename, dirname, resolve } from 'node:path';
import { ArgumentError, Rng } from '@ostinato/core';
import {
  type CreateLanguageModelOptions,
  createLanguageModel,
  type LanguageModelConfig,
} from '@ostinato/tasks/language-modeling';
import { loadLanguageModel } from '@ostinato/tasks/language-modeling/node';
import { CharacterTokenizer, type Tokenizer, WordTokenizer } from '@ostinato/tokenizers';
import { bundled } from './bundled.ts';
import { type Corpus, textCorpus, tuneCorpus } from './corpus.ts';
import { badInput } from './failure.ts';
import { checkpointName, emptyFolder, findCheckpoint, freshFolder, runFolder } from './run-folder.ts';
import { fingerprint, type RunRecord, readRecord, type Task } from './run-record.ts';
import { usualPrompt } from './sample.ts';
import { readInput } from './text-input.ts';
import type { TrainOptions } from './train-options.ts';
import type { Session } from './training-run.ts';

/** A run whose input has been read and found good; `open` needs an engine. */
export interface PreparedSession {
  open(): Promise<Session>;
}

/** The tokenizer of a text. */
function trainTokenizer(
  text: string,
  { level, vocabularySize }: Pick<TrainOptions, 'level' | 'vocabularySize'>,
): Tokenizer {
  const size = vocabularySize === undefined ? {} : { maximumSize: vocabularySize };
  if (level === 'word') return WordTokenizer.train(text, { ...size, separatePunctuation: true, endOfLine: true });
  const specialTokens = vocabularySize === undefined ? {} : { specialTokens: { unknown: '\ufffd' } };
  return CharacterTokenizer.train(text, { ...size, ...specialTokens });
}

function readCorpus(text: string, tokenizer: Tokenizer, record: RunRecord): Corpus {
  const options = { text, tokenizer, validation: record.validation, seed: record.seed };
  const corpus = record.task === 'music' ? tuneCorpus(options) : textCorpus(options);
  const { windowLength = 100, batchSize = 32, batches } = record.training;
  const needed = batches === 'streams' ? batchSize * windowLength + 1 : windowLength + 1;
  if (corpus.training.length >= needed) return corpus;
  const what =
    batches === 'streams' ? `${batchSize} streams of one window of ${windowLength}` : `a window of ${windowLength}`;
  throw badInput(
    '--data',
    `the text is shorter than ${what} tokens and the last target (${needed})`,
    `${corpus.training.length} tokens to train on`,
    'Use more text, or a smaller --length.',
  );
}

/** Throws unless the text has a tune in ABC. */
function checkTunes(path: string, text: string): void {
  const missing = ['X', 'K'].filter(field => !new RegExp(`^${field}:`, 'm').test(text));
  if (missing.length === 0) return;
  throw badInput(
    '--data',
    'the file must hold tunes in ABC notation, each with the fields X: and K:',
    `'${path}', which has no line that begins with ${missing.map(field => `${field}:`).join(' or ')}`,
    'For other text use train language-model.',
  );
}

/** Reads and checks what a fresh run needs. Nothing is written. */
export async function freshSession(task: Task, options: TrainOptions): Promise<PreparedSession> {
  if (options.data === undefined && task !== 'music') throw badInput('--data', 'a text file is needed', 'none');
  const path = resolve(options.data ?? bundled.tunes);
  const folder = options.out === undefined ? freshFolder(task) : emptyFolder(options.out);
  if (options.bptt !== undefined && options.bptt > options.length && options.batches !== 'streams') {
    throw badInput(
      '--bptt',
      'gradients cannot flow further than a window that starts from a zero state',
      `${options.bptt} with --length ${options.length}`,
      'Use a greater --length, or --batches streams.',
    );
  }
  if (options.architecture === 'gpt') checkTransformer(options);
  else if (options.tied && options.embedding !== options.hidden) {
    throw badInput('--tied', '--embedding must equal --hidden', `${options.embedding} and ${options.hidden}`);
  }
  const text = await readInput('--data', path);
  if (task === 'music') checkTunes(path, text);
  const tokenizer = trainTokenizer(text, options);
  const record: RunRecord = {
    task,
    data: { path, sha256: fingerprint(text) },
    level: options.level,
    prompt: usualPrompt(task, text),
    validation: options.validation,
    seed: options.seed,
    training: trainingOf(options),
    every: {
      log: options.logEvery,
      validate: options.validateEvery,
      checkpoint: options.checkpointEvery,
      sample: options.sampleEvery,
    },
  };
  const corpus = readCorpus(text, tokenizer, record);
  const config = configOf(options, tokenizer.vocabularySize);
  return {
    async open() {
      const model = createLanguageModel({
        ...config,
        rng: new Rng(options.seed).split('model'),
      } as CreateLanguageModelOptions);
      return { model, tokenizer, corpus, record, folder, checkpoint: null };
    },
  };
}

/** Throws where options of a recurrent network are given to a transformer. */
function checkTransformer({ batches, bptt, length, hidden, heads }: TrainOptions): void {
  if (batches === 'streams') throw badInput('--batches', 'gpt carries no state: windows or blocks', 'streams');
  if (bptt !== undefined && bptt !== length) throw badInput('--bptt', 'gpt reads whole windows', String(bptt));
  if (length < 2) throw badInput('--length', 'the context of gpt must have at least 2 tokens', String(length));
  if (hidden % heads !== 0) throw badInput('--heads', '--hidden must be divisible by it', `${hidden} and ${heads}`);
}

function trainingOf(options: TrainOptions): RunRecord['training'] {
  const { steps, batch, length, batches, bptt = length, learningRate, schedule, clipNorm, seed } = options;
  const { finalRate, warmup, beta2, weightDecay } = options;
  return {
    ...{ steps, batchSize: batch, windowLength: length, batches, bptt, learningRate, schedule, clipNorm, seed },
    ...{ finalRate, warmup, beta2, weightDecay },
  };
}

function configOf(options: TrainOptions, vocabularySize: number): LanguageModelConfig {
  const { architecture, embedding, hidden, layers, heads, length, dropout, tied } = options;
  const shared = { vocabularySize, hiddenSize: hidden, numLayers: layers, dropout, tied };
  if (architecture !== 'gpt') return { architecture, embeddingSize: embedding, ...shared };
  return { architecture, contextLength: length, numHeads: heads, ...shared };
}

/** Options that may be given anew when a run goes on. */
const renewable = [
  'resume',
  'preset',
  'steps',
  'json',
  'engine',
  'verbose',
  'logEvery',
  'checkpointEvery',
  'sampleEvery',
];

/** Prepares to go on with a run. Options in `given` that the checkpoint decides must agree with it. */
export async function resumedSession(
  task: Task,
  options: TrainOptions,
  given: ReadonlySet<string>,
): Promise<PreparedSession> {
  const path = findCheckpoint('--resume', options.resume!);
  return {
    async open() {
      const loaded = await loadLanguageModel(path);
      const { model, tokenizer, details, checkpoint } = loaded;
      if (checkpoint === null) {
        throw badInput('--resume', 'the file must be a checkpoint of a run', `'${path}', a model without its training`);
      }
      if (basename(path) !== checkpointName) {
        throw badInput('--resume', `the checkpoint must be ${checkpointName} in the folder of its run`, `'${path}'`);
      }
      const record = readRecord(details);
      if (record.task !== task) throw badInput('--resume', `the run must be of ${task}`, record.task);
      checkAgreement(options, given, record, model.config);
      const renewed: RunRecord = {
        ...record,
        training: given.has('steps') ? { ...record.training, steps: options.steps } : record.training,
        every: {
          ...record.every,
          ...(given.has('logEvery') ? { log: options.logEvery } : {}),
          ...(given.has('checkpointEvery') ? { checkpoint: options.checkpointEvery } : {}),
          ...(given.has('sampleEvery') ? { sample: options.sampleEvery } : {}),
        },
      };
      const data = given.has('data') ? resolve(options.data!) : record.data.path;
      const text = await readInput('--data', data);
      if (fingerprint(text) !== record.data.sha256) {
        throw badInput(
          '--resume',
          'the data must be what the run began with',
          `'${data}', which is another file than the run was trained on`,
          'Name the file of the run with --data, or begin a new run.',
        );
      }
      const corpus = readCorpus(text, tokenizer, renewed);
      return { model, tokenizer, corpus, record: renewed, folder: runFolder(dirname(path)), checkpoint };
    },
  };
}

function checkAgreement(
  options: TrainOptions,
  given: ReadonlySet<string>,
  record: RunRecord,
  config: LanguageModelConfig,
): void {
  const { windowLength, batchSize, ...training } = record.training;
  const { hiddenSize, numLayers, ...shape } = config;
  const { validation, level } = record;
  const renamed = {
    hidden: hiddenSize,
    embedding: 'embeddingSize' in config ? config.embeddingSize : undefined,
    heads: 'numHeads' in config ? config.numHeads : undefined,
    layers: numLayers,
    batch: batchSize,
    length: windowLength,
  };
  const saved: Record<string, unknown> = { ...training, ...shape, ...renamed, validation, level };
  saved['validateEvery'] = record.every.validate;
  for (const name of given) {
    if (renewable.includes(name) || name === 'data') continue;
    const value = options[name as keyof TrainOptions];
    if (name === 'out' && resolve(options.out!) === resolve(options.resume!)) continue;
    if (saved[name] === value) continue;
    const flag = `--${name.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)}`;
    throw new ArgumentError({
      where: '--resume',
      rule: `${flag} comes from the checkpoint`,
      expected: name === 'out' ? `'${options.resume}'` : String(saved[name]),
      got: String(value),
      advice: `Leave ${flag} out.`,
    });
  }
}
