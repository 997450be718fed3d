import { readFile } from 'node:fs/promises';
import { atPath } from '@ostinato/core';
import { writeFileAtomic } from '@ostinato/weights/node';
import {
  type DecodeLanguageModelOptions,
  decodeLanguageModel,
  type EncodeLanguageModelOptions,
  encodeLanguageModel,
  type LoadedLanguageModel,
} from './saved.ts';

/** Writes a model and its tokenizer to one safetensors file, whole or not at all. */
export async function saveLanguageModel(path: string, options: EncodeLanguageModelOptions): Promise<void> {
  await writeFileAtomic(path, await encodeLanguageModel(options));
}

/**
 * Reads a model from a file that `saveLanguageModel` or a training run wrote.
 *
 * @throws the file system's error, or a FormatError that names the file and what is wrong with it
 */
export async function loadLanguageModel(
  path: string,
  options: DecodeLanguageModelOptions = {},
): Promise<LoadedLanguageModel> {
  const bytes = await readFile(path);
  return atPath(path, () => decodeLanguageModel(bytes, options));
}
