import { atPath } from '@ostinato/core';
import { writeFileAtomic } from '@ostinato/weights/node';
import { readModelFile } from '../shared/model-file.ts';
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
 * @throws ResourceError when the file is missing or cannot be read; FormatError that names the file and what is wrong with it
 */
export async function loadLanguageModel(
  path: string,
  options: DecodeLanguageModelOptions = {},
): Promise<LoadedLanguageModel> {
  const bytes = await readModelFile('loadLanguageModel', path);
  return atPath(path, () => decodeLanguageModel(bytes, options));
}
