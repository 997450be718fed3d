import { atPath } from '@ostinato/core';
import { writeFileAtomic } from '@ostinato/weights/node';
import { readModelFile } from '../shared/model-file.ts';
import { decodeForecaster, type EncodeForecasterOptions, encodeForecaster, type LoadedForecaster } from './saved.ts';

/** Writes a forecaster to one safetensors file, whole or not at all. */
export async function saveForecaster(path: string, options: EncodeForecasterOptions): Promise<void> {
  await writeFileAtomic(path, await encodeForecaster(options));
}

/**
 * Reads a forecaster from a file that `saveForecaster` or a training run wrote.
 *
 * @throws ResourceError when the file is missing or cannot be read; FormatError that names the file and what is wrong with it
 */
export async function loadForecaster(path: string): Promise<LoadedForecaster> {
  const bytes = await readModelFile('loadForecaster', path);
  return atPath(path, () => decodeForecaster(bytes));
}
