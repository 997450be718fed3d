import { atPath } from '@ostinato/core';
import { writeFileAtomic } from '@ostinato/weights/node';
import { readModelFile } from '../shared/model-file.ts';
import {
  decodeTextClassifier,
  type EncodeTextClassifierOptions,
  encodeTextClassifier,
  type LoadedTextClassifier,
} from './saved.ts';

/** Writes a model and its tokenizer to one safetensors file, whole or not at all. */
export async function saveTextClassifier(path: string, options: EncodeTextClassifierOptions): Promise<void> {
  await writeFileAtomic(path, await encodeTextClassifier(options));
}

/**
 * Reads a model from a file that `saveTextClassifier` or a training run wrote.
 *
 * @throws ResourceError when the file is missing or cannot be read; FormatError that names the file and what is wrong with it
 */
export async function loadTextClassifier(path: string): Promise<LoadedTextClassifier> {
  const bytes = await readModelFile('loadTextClassifier', path);
  return atPath(path, () => decodeTextClassifier(bytes));
}
