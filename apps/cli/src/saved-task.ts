import { readFile } from 'node:fs/promises';
import { readSafetensors } from '@ostinato/weights';

/** What a model file was trained for. */
export type SavedTask = (typeof tasks)[number] | 'other';

const tasks = ['sentiment', 'tagging', 'translation', 'captioning', 'forecasting'] as const;

/** What the header of a model file says, by task. */
const formats: Readonly<Record<string, SavedTask>> = {
  'ostinato-text-classifier': 'sentiment',
  'ostinato-sequence-tagger': 'tagging',
  'ostinato-translator': 'translation',
  'ostinato-captioner': 'captioning',
  'ostinato-forecaster': 'forecasting',
};

/** What a model or a checkpoint is, by what its header says; `other` also when it cannot be read: who loads it says why. */
export async function savedTask(path: string): Promise<SavedTask> {
  try {
    const { metadata } = readSafetensors(await readFile(path));
    const content = JSON.parse(metadata.get('content') ?? '{}') as { config?: { kind?: string; details?: unknown } };
    return formats[content.config?.kind ?? metadata.get('format') ?? ''] ?? taskIn(content.config?.details);
  } catch {
    return 'other';
  }
}

/** The task in the details of a checkpoint; a translator keeps them beside its second tokenizer. */
function taskIn(details: unknown): SavedTask {
  const { task, details: inner } = (details ?? {}) as { task?: unknown; details?: unknown };
  if (task === undefined && inner !== undefined) return taskIn(inner);
  return tasks.find(name => name === task) ?? 'other';
}
