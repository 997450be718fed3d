import type { Rng } from '@ostinato/core';
import { generateText, type LoadedLanguageModel } from '@ostinato/tasks/language-modeling';
import type { Task } from './run-record.ts';

/** Where the texts of a task end, unless the user says otherwise. */
export const customs: Readonly<Record<Task, { readonly stop: readonly string[]; readonly tokens: number }>> = {
  // A collection has a blank line behind each tune.
  music: { stop: ['\n\n'], tokens: 1500 },
  'language-model': { stop: [], tokens: 400 },
};

/** What texts of a task begin with: the usual beginning if the data has its characters, else the beginning of the data. */
export function usualPrompt(task: Task, text: string): string {
  const usual = task === 'music' ? 'X:1\n' : '\n';
  const hasAll = Array.from(usual).every(character => text.includes(character));
  return hasAll ? usual : Array.from(text).slice(0, 1).join('');
}

/** Options of `sampleTexts`. */
export interface SampleOptions {
  readonly task: Task;
  readonly prompt: string;
  readonly count: number;
  readonly rng: Rng;
  readonly temperature: number;
  readonly tokens?: number;
  readonly signal?: AbortSignal | undefined;
}

/** Whole texts from a model, prompt included, without the stop string. */
export async function sampleTexts(
  { model, tokenizer }: Pick<LoadedLanguageModel, 'model' | 'tokenizer'>,
  { task, prompt, count, rng, temperature, tokens = customs[task].tokens, signal }: SampleOptions,
): Promise<string[]> {
  const texts = Array.from({ length: count }, () => prompt);
  const pieces = generateText({
    model,
    tokenizer,
    prompts: texts.slice(),
    maximumTokens: tokens,
    temperature,
    stop: customs[task].stop,
    rng,
    signal,
  });
  for await (const { row, text } of pieces) texts[row] += text;
  return texts;
}
