import { createHash } from 'node:crypto';
import { FormatError } from '@ostinato/core';
import type { LanguageModelTrainingOptions } from '@ostinato/tasks/language-modeling';
import type { Json } from '@ostinato/training';

/** What a model was trained for. */
export type Task = 'music' | 'language-model';

/** What the CLI keeps in every checkpoint: how the run came about, and how it goes on. */
export interface RunRecord {
  readonly task: Task;
  readonly data: { readonly path: string; readonly sha256: string };
  readonly level: 'character' | 'word';
  /** What texts begin with unless the user says otherwise. */
  readonly prompt: string;
  /** Share of the data that is held out. */
  readonly validation: number;
  readonly seed: number;
  readonly training: LanguageModelTrainingOptions;
  readonly every: {
    readonly log: number;
    readonly validate: number;
    readonly checkpoint: number;
    readonly sample: number;
  };
}

/** SHA-256 of a text, in hexadecimal: a run goes on only with the text it began with. */
export function fingerprint(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** The record of a checkpoint. Throws FormatError when it has none: the model is not from this CLI. */
export function readRecord(details: Json): RunRecord {
  const record = details as unknown as RunRecord | null;
  if (typeof record === 'object' && record !== null && record.data && record.training && record.every) return record;
  throw new FormatError({ where: 'ostinato', rule: 'the checkpoint must be of a run of this program', got: 'another' });
}

/** What a model was trained for; text when the file does not say. */
export function taskOf(details: Json): Task {
  const task = (details as { task?: unknown } | null)?.task;
  return task === 'music' ? 'music' : 'language-model';
}

/** What texts of a model begin with. */
export function promptOf(details: Json): string {
  const prompt = (details as { prompt?: unknown } | null)?.prompt;
  return typeof prompt === 'string' ? prompt : '\n';
}
