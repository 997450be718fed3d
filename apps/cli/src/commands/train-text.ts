import { Rng } from '@ostinato/core';
import {
  describeTextClassifier,
  evaluate,
  type LabelledText,
  labelsOf,
  TextClassifier,
  trainTextClassifier,
} from '@ostinato/tasks/sentiment';
import { loadTextClassifier } from '@ostinato/tasks/sentiment/node';
import {
  describeSequenceTagger,
  evaluate as evaluateTagger,
  SequenceTagger,
  type TaggedSentence,
  tagsOf,
  trainSequenceTagger,
} from '@ostinato/tasks/tagging';
import { loadSequenceTagger } from '@ostinato/tasks/tagging/node';
import type { Tokenizer } from '@ostinato/tokenizers';
import type { Checkpoint, Json } from '@ostinato/training';
import type { Command } from 'commander';
import { bundled } from '../bundled.ts';
import { startEngine } from '../common.ts';
import { badInput } from '../failure.ts';
import { createOutput } from '../output.ts';
import { emptyFolder, freshFolder } from '../run-folder.ts';
import { dataFile, type Resumed, resumedRecord, resumedRun, runSession, type TaskSession } from '../task-session.ts';
import { type LabelledFormat, labelled, type Parts, readParts, readPartsAgain, readTagged } from '../text-data.ts';
import { classifierLines, taggerLines } from '../text-report.ts';
import { encoderConfigOf, recordOf, trainTextTokenizer, vectorsOf } from '../text-session.ts';
import { type TextTrainOptions, withTextTrainOptions } from '../text-train-options.ts';

type Task = 'sentiment' | 'tagging';

/** `ostinato train sentiment` and `ostinato train tagging`. */
export function addTrainText(train: Command): void {
  withTextTrainOptions(train.command('sentiment'), 'sentiment')
    .description('train a classifier on texts with labels: sentiment, topics, intents')
    .addHelpText(
      'after',
      `
Examples:
  ostinato train sentiment
  ostinato train sentiment --data train.txt --validation-data dev.txt --encoder convolution --pooling max
  ostinato train sentiment --data reviews.csv --text-column review --label-column stars --vectors glove.6B.100d.txt
  ostinato train sentiment --resume runs/sentiment`,
    )
    .action(async (options: TextTrainOptions, command: Command) => runTrainText('sentiment', options, command));
  withTextTrainOptions(train.command('tagging'), 'tagging')
    .description('train a tagger on words with tags: names, parts of speech')
    .addHelpText(
      'after',
      `
Examples:
  ostinato train tagging
  ostinato train tagging --data train.conll --validation-data dev.conll --keep-case --layers 2`,
    )
    .action(async (options: TextTrainOptions, command: Command) => runTrainText('tagging', options, command));
}

async function runTrainText(task: Task, options: TextTrainOptions, command: Command): Promise<void> {
  const output = createOutput(options);
  if (options.resume === undefined) {
    const open = await prepareFresh(task, options);
    await startEngine(output, options);
    await runSession(output, open());
  } else {
    const resumed = resumedRun(options.resume, command, ['data', 'validationData', 'epochs']);
    await startEngine(output, options);
    await runSession(output, await openResumed(task, resumed, options, command));
  }
}

/** Reads and checks everything before an engine starts. */
async function prepareFresh(task: Task, options: TextTrainOptions): Promise<() => TaskSession> {
  const folder = options.out === undefined ? freshFolder(task) : emptyFolder(options.out);
  const isSentiment = task === 'sentiment';
  const { data = bundled[task], validationData } = options;
  const texts = isSentiment ? await readParts(labelled(options), { data, validationData }, options) : null;
  const sentences = isSentiment ? null : await readParts(readTagged, { data, validationData }, options);
  // A rare label may be in the part of --data that is held out, and not in the other.
  const all = <Example>({ training, validation }: Parts<Example>): readonly Example[] =>
    validationData === undefined ? [...training, ...validation] : training;
  const labels = texts ? labelsOf(all(texts)) : tagsOf(all(sentences!));
  checkLabels(labels, texts ? all(texts).length : all(sentences!).flatMap(({ tags }) => tags).length);
  checkKnown(labels, texts?.validation.map(({ label }) => label) ?? sentences!.validation.flatMap(({ tags }) => tags));
  const written = texts?.training.map(({ text }) => text) ?? sentences!.training.flatMap(({ words }) => words);
  const tokenizer = trainTextTokenizer(written, options, { separates: isSentiment });
  const vectors = await vectorsOf(options, tokenizer);
  const record = recordOf(task, options, {
    data: await dataFile(data),
    ...(validationData === undefined ? {} : { validationData: await dataFile(validationData) }),
  });
  const encoder = encoderConfigOf(options, tokenizer.vocabularySize, vectors);
  const common = { tokenizer, record, folder, checkpoint: null, vectorsFound: vectors?.found ?? null };
  return () => {
    const rng = new Rng(record.seed).split('model');
    const shared = { ...encoder, labels, rng, ...(vectors ? { vectors: vectors.initializer } : {}) };
    return texts
      ? classifierSession({
          ...common,
          model: new TextClassifier({ ...shared, pooling: options.pooling }),
          parts: texts,
        })
      : taggerSession({ ...common, model: new SequenceTagger(shared), parts: sentences! });
  };
}

/** Throws unless the labels can be those of a task: at least two, and not another one for every text. */
function checkLabels(labels: readonly string[], count: number): void {
  if (labels.length < 2) throw badInput('--data', 'there must be at least 2 labels', labels.join(' '));
  if (count < 20 || labels.length <= count / 2) return;
  const got = `${labels.length} labels of ${count}, such as ${JSON.stringify(labels[0])}`;
  const advice = 'Does every line have its label where it should be? --help names the formats.';
  throw badInput('--data', 'labels must occur several times', got, advice);
}

function checkKnown(labels: readonly string[], held: readonly string[]): void {
  const known = new Set(labels);
  const unknown = held.find(label => !known.has(label));
  if (unknown === undefined) return;
  const rule = `every label must be one of the training: ${labels.join(', ')}`;
  throw badInput('--validation-data', rule, JSON.stringify(unknown));
}

async function openResumed(
  task: Task,
  resumed: Resumed,
  options: TextTrainOptions,
  command: Command,
): Promise<TaskSession> {
  const loaded = task === 'sentiment' ? await loadTextClassifier(resumed.path) : await loadSequenceTagger(resumed.path);
  const { record, checkpoint } = resumedRecord(task, resumed, loaded, command);
  const { tokenizer, model } = loaded;
  const common = { tokenizer, record, folder: resumed.folder, checkpoint, vectorsFound: null };
  const given = options as unknown as Record<string, unknown>;
  if (model instanceof TextClassifier) {
    const reading = record.reading as unknown as LabelledFormat;
    return classifierSession({ ...common, model, parts: await readPartsAgain(labelled(reading), record, given) });
  }
  return taggerSession({ ...common, model, parts: await readPartsAgain(readTagged, record, given) });
}

/** What sessions of both tasks begin with. */
interface Common extends Pick<TaskSession, 'record' | 'folder' | 'checkpoint'> {
  readonly tokenizer: Tokenizer;
  /** Of the vocabulary, how many have a vector of `--vectors`. */
  readonly vectorsFound: number | null;
}

function runOptions(
  { record, checkpoint }: Common,
  examples: number,
  { signal, save }: { readonly signal: AbortSignal; readonly save: (checkpoint: Checkpoint) => Promise<void> },
) {
  const every = record.checkpointEvery ?? Math.ceil(examples / (record.training['batchSize'] as number));
  return { ...record.training, checkpoint: { every, save }, resume: checkpoint, signal };
}

function dataOf(
  what: string,
  parts: Parts<unknown>,
  { labels, vocabularySize }: { readonly labels: readonly string[]; readonly vocabularySize: number },
  vectorsFound: number | null,
) {
  const [training, validation] = [parts.training.length, parts.validation.length];
  const count = (value: number): string => value.toLocaleString('en-US');
  const vectors = vectorsFound === null ? '' : `, ${count(vectorsFound)} with a vector`;
  return {
    fields: { trainingExamples: training, validationExamples: validation, vectorsFound },
    lines: [
      `${count(training)} ${what} to train on, ${count(validation)} to measure with`,
      `${labels.length} labels: ${labels.slice(0, 12).join(', ')}${labels.length > 12 ? ' …' : ''}`,
      `vocabulary ${count(vocabularySize)}${vectors}`,
    ],
  };
}

function classifierSession(session: Common & { model: TextClassifier; parts: Parts<LabelledText> }): TaskSession {
  const { model, tokenizer, record, folder, parts, vectorsFound } = session;
  const { training: examples, validation } = parts;
  const description = describeTextClassifier({ model, tokenizer, details: record as unknown as Json });
  return {
    ...session,
    architecture: model.config.encoder,
    data: dataOf('texts', parts, model.config, vectorsFound),
    unit: 'nats per text',
    train: running =>
      trainTextClassifier({
        ...runOptions(session, examples.length, running),
        ...{ model, tokenizer, examples, validation, description },
      }),
    measure: async () =>
      validation.length === 0
        ? { lines: [], fields: {} }
        : classifierLines(await evaluate({ model, tokenizer, examples: validation })),
    next: `classify --model ${folder.path} 'What a lovely evening!'`,
  };
}

function taggerSession(session: Common & { model: SequenceTagger; parts: Parts<TaggedSentence> }): TaskSession {
  const { model, tokenizer, record, folder, parts, vectorsFound } = session;
  const { training: sentences, validation } = parts;
  const description = describeSequenceTagger({ model, tokenizer, details: record as unknown as Json });
  return {
    ...session,
    architecture: model.config.encoder,
    data: dataOf('sentences', parts, model.config, vectorsFound),
    unit: 'nats per word',
    train: running =>
      trainSequenceTagger({
        ...runOptions(session, sentences.length, running),
        ...{ model, tokenizer, sentences, validation, description },
      }),
    measure: async () =>
      validation.length === 0
        ? { lines: [], fields: {} }
        : taggerLines(await evaluateTagger({ model, tokenizer, sentences: validation })),
    next: `tag --model ${folder.path} 'Book a table in Rome on Friday'`,
  };
}
