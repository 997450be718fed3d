import { summary } from '@ostinato/core';
import { type Command, Option } from 'commander';
import { programName, startEngine } from '../common.ts';
import { listenForInterrupt } from '../interrupt.ts';
import { createOutput, type Output } from '../output.ts';
import { integer } from '../parse.ts';
import type { Task } from '../run-record.ts';
import { freshSession, resumedSession } from '../session.ts';
import { givenOptions, type TrainOptions, withPreset, withTrainOptions } from '../train-options.ts';
import { type RunResult, runTraining, type Session } from '../training-run.ts';
import { addTrainCaptioning } from './train-captioning.ts';
import { addTrainForecasting } from './train-forecasting.ts';
import { addTrainText } from './train-text.ts';
import { addTrainTranslation } from './train-translation.ts';

/** `ostinato train music` and `ostinato train language-model`. */
export function addTrain(root: Command): void {
  const train = root
    .command('train')
    .description('train a model: music, text, translations, captions, labels, tags, series');
  withTrainOptions(train.command('music'))
    .description('train on tunes in ABC notation, character by character')
    .option('--data <file>', 'tunes in ABC (default: the tunes that come along)')
    .addHelpText(
      'after',
      `
Examples:
  ostinato train music --hidden 256 --embedding 64 --steps 500
  ostinato train music --data tunes.abc --out runs/irish
  ostinato train music --data tunes.abc --batches streams --bptt 200 --schedule cosine
  ostinato train music --resume runs/irish`,
    )
    .action(async (options: Omit<TrainOptions, 'level'>, command: Command) =>
      runTrain('music', { ...options, level: 'character' }, command),
    );
  withTrainOptions(train.command('language-model').alias('language-modeling'))
    .description('train on any text, by characters or words')
    .option('--data <file>', 'a text file, UTF-8 (required unless --resume)')
    .addOption(new Option('--level <unit>', 'what a token is').choices(['character', 'word']).default('character'))
    .option(
      '--vocabulary-size <tokens>',
      'keep the most frequent ones; others become unknown (default: all of them)',
      integer({ min: 2 }),
    )
    .addHelpText(
      'after',
      `
Examples:
  ostinato train language-model --data text.txt --hidden 512 --steps 1000
  ostinato train language-model --data text.txt --preset nanogpt-cpu
  ostinato train language-model --data text.txt --level word --vocabulary-size 10000 --batches streams`,
    )
    .action(async (options: TrainOptions, command: Command) => runTrain('language-model', options, command));
  addTrainText(train);
  addTrainTranslation(train);
  addTrainCaptioning(train);
  addTrainForecasting(train);
}

async function runTrain(task: Task, given: TrainOptions, command: Command): Promise<void> {
  const output = createOutput(given);
  const options = withPreset(given, givenOptions(command));
  const prepared =
    options.resume === undefined
      ? await freshSession(task, options)
      : await resumedSession(task, options, givenOptions(command));
  await startEngine(output, options);
  const session = await prepared.open();
  describe(output, session);
  reportNothingLeft(output, session);
  const result = await trainUntilStopped(output, session);
  if (result.reason === 'interrupted') reportInterruption(output, session, result);
  else report(output, session, result);
}

/** `2.31 %` */
export function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`;
}

/** Prints what is about to be trained. */
export function describe(output: Output, { model, corpus, record, folder, checkpoint }: Session): void {
  const table = summary(model);
  const { training, documentStarts, validation, heldOutDocuments, unknownShare } = corpus;
  output.event({
    event: 'model',
    config: model.config,
    parameters: table.total,
    data: record.data.path,
    trainingTokens: training.length,
    validationTokens: validation.length,
    unknownShare,
    folder: folder.path,
    step: checkpoint?.step ?? 0,
    steps: record.training.steps,
  });
  const count = (value: number): string => value.toLocaleString('en-US');
  output.line(`\ndata    ${record.data.path}`);
  if (record.task === 'music') {
    const held = heldOutDocuments > 0 ? `${count(heldOutDocuments)} held out` : 'the end of the text held out';
    const tunes = documentStarts.length === 1 ? '1 tune' : `${count(documentStarts.length)} tunes`;
    output.line(`        training on ${tunes}${validation.length === 0 ? '' : `, ${held}`}`);
  }
  output.line(
    `        ${count(training.length)} tokens to train on, ${count(validation.length)} held out, vocabulary ${model.config.vocabularySize}`,
  );
  if (unknownShare !== undefined) output.line(`        ${percent(unknownShare)} of the tokens are unknown`);
  output.line(`model   ${model.config.architecture}\n${String(table).replaceAll(/^/gm, '        ')}`);
  output.line(`run     ${folder.path}${checkpoint ? `, which goes on after step ${checkpoint.step}` : ''}\n`);
}

/** Says so when a run has taken all its steps already, and how it can go on. */
export function reportNothingLeft(output: Output, { checkpoint, record, folder }: Session): boolean {
  const { steps } = record.training;
  if (checkpoint === null || checkpoint.step < steps) return false;
  const longer = `${programName} train ${record.task} --resume ${folder.path} --steps ${2 * checkpoint.step}`;
  output.line(`nothing to train: the run has taken all its ${steps} steps. Train further with\n\n    ${longer}\n`);
  return true;
}

/** Trains until the last step, Ctrl-C, or the time limit. */
export async function trainUntilStopped(output: Output, session: Session, timeLimit?: number): Promise<RunResult> {
  const interrupt = listenForInterrupt(() => {
    output.settle();
    output.line('saving … (Ctrl-C again quits at once)');
  });
  try {
    const limit = timeLimit === undefined ? {} : { timeLimit };
    return await runTraining(session, { output, signal: interrupt.signal, ...limit });
  } finally {
    interrupt.release();
  }
}

/** The last value of a field of the log. */
export function lastOf({ log }: RunResult, field: string): number | undefined {
  return log.findLast(entry => entry[field] !== undefined)?.[field] as number | undefined;
}

/** `after 400 steps: loss 0.75, validation 1.39`, the last that the log says. */
export function ending(result: RunResult): string {
  const validated = result.log.findLast(entry => entry.event === 'validation')?.step;
  const [loss, validationLoss] = [lastOf(result, 'loss'), lastOf(result, 'validationLoss')];
  const facts = [
    loss === undefined ? '' : `loss ${loss.toFixed(3)}`,
    validationLoss === undefined
      ? ''
      : `validation ${validationLoss.toFixed(3)}${validated === result.step ? '' : ` (step ${validated})`}`,
  ].filter(Boolean);
  return `after ${result.step.toLocaleString('en-US')} steps: ${facts.join(', ')}`;
}

/** Says that the run was saved at Ctrl-C, and how `command` goes on with it. */
export function reportInterruption(
  output: Output,
  { folder, record }: Session,
  { step }: RunResult,
  command = `train ${record.task}`,
): void {
  const resume = `${programName} ${command} --resume ${folder.path}`;
  output.event({ event: 'interrupted', step, folder: folder.path, resume });
  output.line(`saved after step ${step}. Go on with\n\n    ${resume}\n`);
}

/** Says how the run ended, where it is kept and what comes next. */
function report(output: Output, session: Session, result: RunResult): void {
  const { folder } = session;
  output.event({
    event: 'result',
    step: result.step,
    loss: lastOf(result, 'loss'),
    validationLoss: lastOf(result, 'validationLoss'),
    folder: folder.path,
    checkpoint: folder.checkpoint,
    lossCurve: folder.lossCurve,
  });
  output.line(`\n${ending(result)}`);
  output.line(`kept in ${folder.path}: checkpoint.safetensors, loss.svg, log.jsonl`);
  output.line(`\nNext:\n    ${programName} generate --model ${folder.path}\n`);
}
