import { atPath } from '@ostinato/core';
import { writeFileAtomic } from '@ostinato/weights/node';
import { readModelFile } from '../shared/model-file.ts';
import {
  decodeSequenceTagger,
  type EncodeSequenceTaggerOptions,
  encodeSequenceTagger,
  type LoadedSequenceTagger,
} from './saved.ts';

/** Writes a model and its tokenizer to one safetensors file, whole or not at all. */
export async function saveSequenceTagger(path: string, options: EncodeSequenceTaggerOptions): Promise<void> {
  await writeFileAtomic(path, await encodeSequenceTagger(options));
}

/**
 * Reads a model from a file that `saveSequenceTagger` or a training run wrote.
 *
 * @throws ResourceError when the file is missing or cannot be read; FormatError that names the file and what is wrong with it
 */
export async function loadSequenceTagger(path: string): Promise<LoadedSequenceTagger> {
  const bytes = await readModelFile('loadSequenceTagger', path);
  return atPath(path, () => decodeSequenceTagger(bytes));
}
