import { existsSync } from 'node:fs';
import { summary } from '@ostinato/core';
import type { LoadedLanguageModel } from '@ostinato/tasks/language-modeling';
import { loadLanguageModel } from '@ostinato/tasks/language-modeling/node';
import { bundled } from './bundled.ts';
import { badInput } from './failure.ts';
import type { Output } from './output.ts';
import { findCheckpoint } from './run-folder.ts';
import { savedTask } from './saved-task.ts';

/** The file of `--model`, or the model that comes along. Throws when there is none; nothing is read. */
export function modelFile(option: string | undefined): string {
  if (option !== undefined) return findCheckpoint('--model', option);
  if (existsSync(bundled.pretrained)) return bundled.pretrained;
  throw badInput(
    '--model',
    'the pretrained model is not in this installation',
    `no ${bundled.pretrained}`,
    'Name a run (--model runs/irish), or make one with `ostinato start`.',
  );
}

/** Loads a language model and says what it is. */
export async function loadModel(output: Output, path: string): Promise<LoadedLanguageModel> {
  const task = await savedTask(path);
  if (task !== 'other') throw badInput('--model', 'must be a language model', `'${path}', of train ${task}`);
  const loaded = await loadLanguageModel(path);
  const { config } = loaded.model;
  const count = summary(loaded.model).total;
  output.event({ event: 'model', path, config, parameters: count });
  output.line(
    `model   ${path}: ${config.architecture} ${config.hiddenSize}, ${count.toLocaleString('en-US')} parameters\n`,
  );
  return loaded;
}
