import { dirname, join, relative, resolve } from 'node:path';
import { Rng } from '@ostinato/core';
import {
  Captioner,
  type CaptionerConfig,
  type CaptionerTrainingOptions,
  describeCaptioner,
  evaluate,
  mostFrequentCaption,
  nearestNeighbourCaptions,
  scoreCaptions,
  trainCaptioner,
  trainCaptionTokenizer,
} from '@ostinato/tasks/captioning';
import { loadCaptioner, type PictureFile } from '@ostinato/tasks/captioning/node';
import type { Tokenizer } from '@ostinato/tokenizers';
import type { Json } from '@ostinato/training';
import type { Command } from 'commander';
import { bundled } from '../bundled.ts';
import { bundledHelp, forBundled } from '../bundled-options.ts';
import { type CaptioningTrainOptions, forEmoji, withCaptioningOptions } from '../captioning-options.ts';
import { startEngine } from '../common.ts';
import { badInput } from '../failure.ts';
import { createOutput, type Output } from '../output.ts';
import { captionTable, holdOutPictures, type PictureReading, pictureDigest, readPictures } from '../picture-data.ts';
import { emptyFolder, freshFolder } from '../run-folder.ts';
import {
  dataFile,
  type Measured,
  type Resumed,
  resumedRecord,
  resumedRun,
  runSession,
  sameFile,
  type TaskRecord,
  type TaskSession,
} from '../task-session.ts';
import type { Parts } from '../text-data.ts';
import { givenOptions } from '../train-options.ts';
import { captioningMeasured } from './evaluate-captioning.ts';

/** `ostinato train captioning`. */
export function addTrainCaptioning(train: Command): void {
  withCaptioningOptions(train.command('captioning'))
    .description('train a captioner on pictures and what they show')
    .addHelpText(
      'after',
      `
Examples:
  ostinato train captioning
  ostinato train captioning --data photos --side 64 --mirror
  ostinato train captioning --data photos --encoder patches --decoder recurrent --layers 1
  ostinato train captioning --resume runs/captioning

A folder of pictures (PNG, JPEG, WebP, GIF, AVIF, TIFF, SVG) holds captions.tsv: a first line 'file<TAB>caption', then a line for every
caption. 'sheet.png#xywh=left,top,width,height' is a part of a picture.

${bundledHelp(forEmoji)}`,
    )
    .action(async (options: CaptioningTrainOptions, command: Command) => {
      const output = createOutput(options);
      if (options.resume === undefined) {
        const prepared = prepareFresh(forBundled(options, givenOptions(command), forEmoji));
        await startEngine(output, options);
        return runSession(output, await prepared.open(output));
      }
      const resumed = resumedRun(options.resume, command, ['data', 'validationData', 'steps']);
      await startEngine(output, options);
      return runSession(output, await openResumed(output, resumed, options, command));
    });
}

interface Folders {
  readonly data: string;
  readonly validationData?: string | undefined;
}

async function readParts(
  output: Output,
  { data, validationData }: Folders,
  reading: PictureReading,
  held: { readonly validation: number; readonly seed: number },
): Promise<Parts<PictureFile>> {
  const pictures = await readPictures(output, '--data', data, reading);
  if (validationData === undefined) return holdOutPictures(pictures, held);
  return { training: pictures, validation: await readPictures(output, '--validation-data', validationData, reading) };
}

/** Checks what can be checked before an engine starts; pictures are read on it. */
function prepareFresh(options: CaptioningTrainOptions): { open(output: Output): Promise<TaskSession> } {
  const folder = options.out === undefined ? freshFolder('captioning') : emptyFolder(options.out);
  const { data = bundled.emoji, validationData } = options;
  checkSizes(options);
  const tables: Record<string, string> = { data: captionTable('--data', data) };
  if (validationData !== undefined) {
    tables['validationData'] = captionTable('--validation-data', validationData);
  }
  return {
    async open(output) {
      const files: Record<string, Awaited<ReturnType<typeof dataFile>>> = {};
      for (const [name, path] of Object.entries(tables)) files[name] = await dataFile(path);
      const reading = readingOf(options);
      const parts = await readParts(output, { data, validationData }, reading, options);
      const captions = parts.training.flatMap(picture => picture.captions);
      const tokenizer = trainCaptionTokenizer(captions, {
        lowercase: !options.keepCase,
        minimumFrequency: options.minimumFrequency,
      });
      const digest = pictureDigest([...parts.training, ...parts.validation]);
      const record = recordOf(options, files, { ...reading, digest } as unknown as Json);
      const model = new Captioner({
        ...configOf(options, tokenizer),
        rng: new Rng(options.seed).split('model'),
      });
      return sessionOf({ record, folder, model, tokenizer, parts, checkpoint: null });
    },
  };
}

function checkSizes({ encoder, decoder, side, channels, patch, size, heads, shift }: CaptioningTrainOptions): void {
  if (encoder === 'patches' && side % patch !== 0) {
    throw badInput('--side', 'must be divisible by --patch', `${side} and ${patch}`);
  }
  if (encoder === 'convolution' && side % 2 ** channels.length !== 0) {
    const rule = 'must be divisible by 2 as often as --channels names a layer';
    throw badInput('--side', rule, `${side} and ${channels.length} layers`);
  }
  const attends = encoder === 'patches' || decoder === 'transformer';
  if (size % 2 !== 0 || (attends && size % heads !== 0)) {
    throw badInput('--size', 'must be even and divisible by --heads', `${size} and ${heads}`);
  }
  if (shift >= side) throw badInput('--shift', 'must be less than --side', `${shift} and ${side}`);
}

function readingOf({ side, fileColumn, captionColumn }: CaptioningTrainOptions): PictureReading {
  return { side, columns: [fileColumn, captionColumn] };
}

function configOf(options: CaptioningTrainOptions, { vocabularySize }: Tokenizer): CaptionerConfig {
  const { encoder, decoder, side, channels, patch, encoderLayers, size, layers, heads, dropout } = options;
  return {
    ...{ vocabularySize, encoder, decoder, side, channels, patchSize: patch, encoderLayers },
    ...{ size, decoderLayers: layers, numHeads: heads, dropout },
  };
}

function recordOf(options: CaptioningTrainOptions, files: TaskRecord['files'], reading: Json): TaskRecord {
  const { validation, seed, logEvery, checkpointEvery = null, steps, batch, learningRate, schedule, warmup } = options;
  const { weightDecay, clipNorm, labelSmoothing, averageDecay, shift, mirror, patience, validateEvery } = options;
  return {
    ...{ task: 'captioning', files, validation, seed, logEvery, checkpointEvery, reading },
    training: {
      ...{ steps, batchSize: batch, learningRate, schedule, weightDecay, clipNorm, labelSmoothing, averageDecay },
      ...{ shift, mirror, validateEvery, seed },
      ...(warmup === undefined ? {} : { warmup }),
      ...(patience === undefined ? {} : { patience }),
    },
  };
}

async function openResumed(
  output: Output,
  resumed: Resumed,
  options: CaptioningTrainOptions,
  command: Command,
): Promise<TaskSession> {
  const loaded = await loadCaptioner(resumed.path);
  const { record, checkpoint } = resumedRecord('captioning', resumed, loaded, command);
  const given: Record<string, string> = {};
  for (const name of ['data', 'validationData'] as const) {
    if (options[name] !== undefined) given[name] = join(options[name], 'captions.tsv');
  }
  const data = dirname(await sameFile('data', record, given));
  const validationData = record.files['validationData'] && dirname(await sameFile('validationData', record, given));
  const { digest, ...reading } = record.reading as unknown as PictureReading & { readonly digest: string };
  const parts = await readParts(output, { data, validationData }, reading, record);
  if (pictureDigest([...parts.training, ...parts.validation]) !== digest) {
    throw badInput('--resume', 'the pictures must be what the run began with', `others in '${data}'`);
  }
  return sessionOf({ ...loaded, record, folder: resumed.folder, checkpoint, parts });
}

function sessionOf({
  model,
  tokenizer,
  parts,
  ...session
}: Pick<TaskSession, 'record' | 'folder' | 'checkpoint'> & {
  readonly model: Captioner;
  readonly tokenizer: Tokenizer;
  readonly parts: Parts<PictureFile>;
}): TaskSession {
  const { record, folder, checkpoint } = session;
  const { training: examples, validation } = parts;
  const { encoder, decoder } = model.config;
  const count = (value: number): string => value.toLocaleString('en-US');
  return {
    ...session,
    model,
    architecture: `${encoder}, ${decoder}`,
    data: {
      fields: { trainingPictures: examples.length, validationPictures: validation.length },
      lines: [
        `${count(examples.length)} pictures to train on, ${count(validation.length)} to measure with`,
        `vocabulary ${count(tokenizer.vocabularySize)}`,
      ],
    },
    unit: 'nats per token',
    train: ({ signal, save }) =>
      trainCaptioner({
        ...(record.training as unknown as CaptionerTrainingOptions),
        ...{ model, tokenizer, examples, validation, signal, resume: checkpoint },
        checkpoint: { every: record.checkpointEvery ?? 250, save },
        description: describeCaptioner({ model, tokenizer, details: record as unknown as Json }),
      }),
    measure: async () => {
      if (validation.length === 0) return { lines: [], fields: {} };
      const found = captioningMeasured(validation, await evaluate({ model, tokenizer, examples: validation }));
      const baselines = baselinesOf(examples, validation);
      return { lines: [...found.lines, ...baselines.lines], fields: { ...found.fields, ...baselines.fields } };
    },
    next: `caption --model ${folder.path} --attention '${pictureOf(record, validation[0] ?? examples[0]!)}'`,
  };
}

/** What a picture says of whether the model has learnt to see: captions that cost nothing. */
function baselinesOf(examples: readonly PictureFile[], validation: readonly PictureFile[]): Measured {
  const references = validation.map(({ captions }) => captions);
  const frequent = mostFrequentCaption(examples);
  const nearest = nearestNeighbourCaptions(
    validation.map(({ values }) => values),
    examples,
  );
  const scores = {
    nearestNeighbour: scoreCaptions(nearest, references),
    mostFrequent: scoreCaptions(
      validation.map(() => frequent),
      references,
    ),
  };
  const { nearestNeighbour: near, mostFrequent: most } = scores;
  return {
    lines: [
      `to beat: captions of the nearest known picture  CIDEr-D ${near.cider.toFixed(3)}, BLEU ${near.bleu.score.toFixed(2)}`,
      `         '${frequent}' of every picture  CIDEr-D ${most.cider.toFixed(3)}, BLEU ${most.bleu.score.toFixed(2)}`,
    ],
    fields: {
      nearestNeighbour: { cider: near.cider, bleu: near.bleu.score },
      mostFrequent: { caption: frequent, cider: most.cider, bleu: most.bleu.score },
    },
  };
}

/** The path of a picture of the run, from here. */
function pictureOf({ files }: TaskRecord, { file }: PictureFile): string {
  const path = join(dirname(resolve((files['validationData'] ?? files['data'])!.path)), file);
  const near = relative('.', path);
  return near.startsWith('..') ? path : near;
}
