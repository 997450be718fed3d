import { existsSync, readdirSync, statSync } from 'node:fs';
import { appendFile, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '@ostinato/weights/node';
import { badInput } from './failure.ts';

/** A folder of `runs/`: the files of one training. */
export interface RunFolder {
  readonly path: string;
  readonly checkpoint: string;
  readonly log: string;
  readonly lossCurve: string;
}

/** One line of `log.jsonl`. */
export interface LogEntry {
  readonly event: string;
  readonly step: number;
  readonly [field: string]: unknown;
}

/** The name of a run's checkpoint in its folder. */
export const checkpointName = 'checkpoint.safetensors';

/** The files of a run folder, whether they exist or not. */
export function runFolder(path: string): RunFolder {
  return {
    path,
    checkpoint: join(path, checkpointName),
    log: join(path, 'log.jsonl'),
    lossCurve: join(path, 'loss.svg'),
  };
}

/** `runs/start`, or when that exists `runs/start-2`, `runs/start-3`, … */
export function freshFolder(name: string, root = 'runs'): RunFolder {
  for (let number = 1; ; number++) {
    const path = join(root, number === 1 ? name : `${name}-${number}`);
    if (!existsSync(path)) return runFolder(path);
  }
}

/** The folder for `--out`: one that is not there yet, or is empty. Throws otherwise. Nothing is created. */
export function emptyFolder(path: string): RunFolder {
  const folder = runFolder(path);
  if (existsSync(path) && !statSync(path).isDirectory()) {
    throw badInput('--out', 'must be a folder', `'${path}', a file`);
  }
  if (existsSync(folder.checkpoint)) {
    throw badInput(
      '--out',
      'the folder already holds a checkpoint, which would be overwritten',
      `'${path}'`,
      `Go on with --resume ${path}, or name another folder.`,
    );
  }
  // Hidden files are no user's work, and may be what a killed process left of a checkpoint.
  const [first] = existsSync(path) ? readdirSync(path).filter(name => !name.startsWith('.')) : [];
  if (first !== undefined) {
    throw badInput(
      '--out',
      'the folder must be empty or not there yet',
      `'${path}', which holds '${first}'`,
      'Name another folder.',
    );
  }
  return folder;
}

/** Where the checkpoint of `path` is: the folder's, or the file itself. Throws when there is none. */
export function findCheckpoint(option: string, path: string): string {
  if (!existsSync(path)) throw badInput(option, 'no such file or folder', `'${path}'`);
  if (!statSync(path).isDirectory()) return path;
  const { checkpoint } = runFolder(path);
  if (existsSync(checkpoint)) return checkpoint;
  throw badInput(option, 'the folder has no checkpoint.safetensors', `'${path}'`);
}

/** Creates the folder, and the log of a fresh run. */
export async function createFolder({ path }: RunFolder): Promise<void> {
  await mkdir(path, { recursive: true });
}

/** Adds a line to the log. */
export async function appendLog({ log }: RunFolder, entry: LogEntry): Promise<void> {
  await appendFile(log, `${JSON.stringify(entry)}\n`);
}

/**
 * Reads the log up to `lastStep` and cuts off what came after it: steps that a killed run took after its last checkpoint
 * are taken again. A line that was cut in the middle is left out.
 */
export async function rewindLog({ log }: RunFolder, lastStep: number): Promise<LogEntry[]> {
  if (!existsSync(log)) return [];
  const entries: LogEntry[] = [];
  for (const line of (await readFile(log, 'utf8')).split('\n')) {
    const entry = parseEntry(line);
    if (entry !== null && entry.step <= lastStep) entries.push(entry);
  }
  await writeText(log, entries.map(entry => `${JSON.stringify(entry)}\n`).join(''));
  return entries;
}

function parseEntry(line: string): LogEntry | null {
  try {
    const value = JSON.parse(line) as LogEntry;
    return typeof value === 'object' && value !== null && typeof value.step === 'number' ? value : null;
  } catch {
    return null;
  }
}

/** Writes text whole or not at all. */
export async function writeText(path: string, text: string): Promise<void> {
  await writeFileAtomic(path, new TextEncoder().encode(text));
}
