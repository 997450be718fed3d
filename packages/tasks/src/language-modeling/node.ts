import { readFile } from 'node:fs/promises';
import { atPath, ResourceError } from '@ostinato/core';
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
 * @throws ResourceError when the file is missing or cannot be read; FormatError that names the file and what is wrong with it
 */
export async function loadLanguageModel(
  path: string,
  options: DecodeLanguageModelOptions = {},
): Promise<LoadedLanguageModel> {
  const bytes = await readFile(path).catch((cause: NodeJS.ErrnoException) => {
    const reasons: Record<string, string> = { ENOENT: 'there is no such file', EISDIR: 'it is a folder' };
    throw new ResourceError({
      where: 'loadLanguageModel',
      rule: 'the file cannot be read',
      got: `'${path}': ${reasons[cause.code ?? ''] ?? cause.message}`,
      cause,
    });
  });
  return atPath(path, () => decodeLanguageModel(bytes, options));
}
