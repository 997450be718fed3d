import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { type Module, summary } from '@ostinato/core';
import type { Checkpoint, FitEvent, Json } from '@ostinato/training';
import type { Command } from 'commander';
import { programName } from './common.ts';
import { badInput } from './failure.ts';
import { listenForInterrupt } from './interrupt.ts';
import type { Output } from './output.ts';
import { checkpointName, findCheckpoint, type RunFolder, runFolder } from './run-folder.ts';
import { runTask } from './task-run.ts';
import { givenOptions } from './train-options.ts';

/** A file that a run reads, as its checkpoints keep it. */
export interface DataFile {
  readonly path: string;
  readonly sha256: string;
}

/** What the CLI keeps in every checkpoint of a task: how the run came about, and how it goes on. */
export interface TaskRecord {
  readonly task: string;
  /** By the option that names it. */
  readonly files: Readonly<Record<string, DataFile>>;
  /** Share of the data that is held out, where no file of its own is. */
  readonly validation: number;
  readonly seed: number;
  /** Options of the training, plain. */
  readonly training: Readonly<Record<string, number | string | boolean>>;
  readonly logEvery: number;
  /** Steps between checkpoints; null: as the task has it. */
  readonly checkpointEvery: number | null;
  /** What else the task needs to read its data as before. */
  readonly reading?: Json;
}

/** A measurement: lines for people, and the fields of its event. */
export interface Measured {
  readonly lines: readonly string[];
  readonly fields: Readonly<Record<string, unknown>>;
}

/** A run that is about to begin, or to go on. */
export interface TaskSession {
  readonly record: TaskRecord;
  readonly model: Module & { readonly config: object };
  /** What the model is called: `lstm`. */
  readonly architecture: string;
  readonly folder: RunFolder;
  readonly checkpoint: Checkpoint | null;
  /** What is said of the data. */
  readonly data: Measured;
  /** Unit of the loss: `nats per text`. */
  readonly unit: string;
  /** Begins the training, or goes on. */
  train(options: {
    readonly signal: AbortSignal;
    readonly save: (checkpoint: Checkpoint) => Promise<void>;
  }): AsyncGenerator<FitEvent, void>;
  /** Measures the held-out part. */
  measure(): Promise<Measured>;
  /** What to do with the model: `classify --model runs/sentiment 'A text'`. */
  readonly next: string;
}

/** Says what is about to be trained, trains until the last step or Ctrl-C, says how that went and what comes next. */
export async function runSession(output: Output, session: TaskSession): Promise<void> {
  const { record, folder, checkpoint, unit } = session;
  describe(output, session);
  const interrupt = listenForInterrupt(() => {
    output.settle();
    output.line('saving … (Ctrl-C again quits at once)');
  });
  try {
    const { step, reason, log } = await runTask({
      ...{ output, folder, unit, title: `${record.task}: ${folder.path}` },
      first: checkpoint?.step ?? 0,
      logEvery: record.logEvery,
      train: save => session.train({ signal: interrupt.signal, save }),
    });
    if (reason === 'interrupted') {
      const resume = `${programName} train ${record.task} --resume ${folder.path}`;
      output.event({ event: 'interrupted', step, folder: folder.path, resume });
      output.line(`saved after step ${step}. Go on with\n\n    ${resume}\n`);
      return;
    }
    const loss = log.findLast(entry => entry.event === 'step')?.['loss'];
    const { lines, fields } = await session.measure();
    const { path, checkpoint: file, lossCurve } = folder;
    output.event({ event: 'result', step, reason, loss, ...fields, folder: path, checkpoint: file, lossCurve });
    output.line(`\nafter ${step.toLocaleString('en-US')} steps${reason === 'early' ? ' (no better for a while)' : ''}`);
    for (const line of lines) output.line(line);
    output.line(`kept in ${path}: checkpoint.safetensors, loss.svg, log.jsonl`);
    output.line(`\nNext:\n    ${programName} ${session.next}\n`);
  } finally {
    interrupt.release();
  }
}

function describe(output: Output, { model, architecture, record, data, folder, checkpoint }: TaskSession): void {
  const table = summary(model);
  const step = checkpoint?.step ?? 0;
  const { config } = model;
  const files = Object.values(record.files).map(({ path }) => path);
  output.event({ event: 'model', config, parameters: table.total, files, ...data.fields, folder: folder.path, step });
  output.line();
  [...files, ...data.lines].forEach((line, i) => {
    output.line(`${i === 0 ? 'data   ' : '       '} ${line}`);
  });
  output.line(`model   ${architecture}\n${String(table).replaceAll(/^/gm, '        ')}`);
  output.line(`run     ${folder.path}${checkpoint ? `, which goes on after step ${checkpoint.step}` : ''}\n`);
}

/** A file of the user's, by path and content. */
export async function dataFile(path: string): Promise<DataFile> {
  return {
    path: resolve(path),
    sha256: createHash('sha256')
      .update(await readFile(path))
      .digest('hex'),
  };
}

/** What `--resume` goes on with. */
export interface Resumed {
  readonly path: string;
  readonly folder: RunFolder;
  /** Names of the options that were given anew. */
  readonly given: ReadonlySet<string>;
}

/** Options that may be given anew in every task; files too, when a run's have moved. */
const renewable = ['resume', 'json', 'engine', 'verbose', 'logEvery', 'checkpointEvery', 'patience'];

/**
 * Where the run of `--resume` is kept.
 *
 * @param more further options that may be given anew
 * @throws ArgumentError when there is none, or an option was given that its checkpoint decides
 */
export function resumedRun(resume: string, command: Command, more: readonly string[]): Resumed {
  const path = findCheckpoint('--resume', resume);
  const given = givenOptions(command);
  const wrong = [...given].find(name => !renewable.includes(name) && !more.includes(name));
  if (wrong !== undefined) {
    const flag = flagOf(wrong);
    const got = `'${String(command.getOptionValue(wrong))}'`;
    throw badInput('--resume', `${flag} comes from the checkpoint`, got, `Leave ${flag} out.`);
  }
  if (basename(path) !== checkpointName) {
    throw badInput('--resume', `the checkpoint must be ${checkpointName} in the folder of its run`, `'${path}'`);
  }
  return { path, given, folder: runFolder(dirname(path)) };
}

/** The record of a run, with what was given anew, and its checkpoint. Throws when it is of another task, or no run. */
export function resumedRecord(
  task: string,
  { path, given }: Resumed,
  loaded: { readonly checkpoint: Checkpoint | null; readonly details: Json },
  command: Command,
): { readonly record: TaskRecord; readonly checkpoint: Checkpoint } {
  const record = loaded.details as unknown as TaskRecord | null;
  if (loaded.checkpoint === null || !record?.training || record.task !== task) {
    throw badInput('--resume', `the file must be a checkpoint of a run of ${task}`, `'${path}'`);
  }
  const options = command.opts<Record<string, never>>();
  const renewed = Object.keys(record.training).filter(name => given.has(name));
  return {
    record: {
      ...record,
      training: {
        ...record.training,
        ...Object.fromEntries(renewed.map(name => [name, options[name]!])),
        ...(given.has('patience') ? { patience: options['patience']! } : {}),
      },
      logEvery: given.has('logEvery') ? options['logEvery']! : record.logEvery,
      checkpointEvery: given.has('checkpointEvery') ? options['checkpointEvery']! : record.checkpointEvery,
    },
    checkpoint: loaded.checkpoint,
  };
}

/** Where a file of a run is now. Throws unless it holds what the run began with. */
export async function sameFile(
  option: string,
  record: TaskRecord,
  options: Readonly<Record<string, unknown>>,
): Promise<string> {
  const known = record.files[option]!;
  const path = (options[option] as string | undefined) ?? known.path;
  const { sha256 } = await dataFile(path).catch(() => {
    const advice = `Say with ${flagOf(option)} where it is now.`;
    throw badInput('--resume', 'the data of the run must be there', `'${path}', which cannot be read`, advice);
  });
  if (sha256 === known.sha256) return path;
  throw badInput(
    '--resume',
    'the data must be what the run began with',
    `'${path}', which is another file than the run was trained on`,
    `Name the file of the run with ${flagOf(option)}, or begin a new run.`,
  );
}

/** `--validation-data` of `validationData`. */
function flagOf(option: string): string {
  return `--${option.replaceAll(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)}`;
}
