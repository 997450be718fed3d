import { atPath } from '@ostinato/core';
import { writeFileAtomic } from '@ostinato/weights/node';
import { readModelFile } from '../shared/model-file.ts';
import { decodeTranslator, type EncodeTranslatorOptions, encodeTranslator, type LoadedTranslator } from './saved.ts';

/** Writes a model and its tokenizers to one safetensors file, whole or not at all. */
export async function saveTranslator(path: string, options: EncodeTranslatorOptions): Promise<void> {
  await writeFileAtomic(path, await encodeTranslator(options));
}

/**
 * Reads a model from a file that `saveTranslator` or a training run wrote.
 *
 * @throws ResourceError when the file is missing or cannot be read; FormatError that names the file and what is wrong with it
 */
export async function loadTranslator(path: string): Promise<LoadedTranslator> {
  const bytes = await readModelFile('loadTranslator', path);
  return atPath(path, () => decodeTranslator(bytes));
}
