import { randomBytes } from 'node:crypto';
import { open, readFile, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { atPath } from '@ostinato/core';
import { type ReadOptions, readSafetensors, type SafeTensors } from './read.ts';

/**
 * Writes a file whole or not at all: a temporary file beside it is written, flushed to the disk (fsync) and renamed over
 * it, and the directory is flushed. Whenever the process or the machine stops, `path` is the old file or the new one. A
 * symbolic link is followed, and an existing file's permissions are kept.
 *
 * @throws the file system's own error; the old file and the directory are then as they were
 */
export async function writeFileAtomic(path: string, bytes: Uint8Array): Promise<void> {
  const target = await realpath(path).catch(() => path);
  const mode = (await stat(target).catch(() => undefined))?.mode;
  const directory = dirname(target);
  const temporary = join(directory, `.${basename(target)}.${randomBytes(6).toString('hex')}.tmp`);
  try {
    const file = await open(temporary, 'wx');
    try {
      if (mode !== undefined) await file.chmod(mode & 0o7777);
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await flushDirectory(directory);
}

/** Makes a rename durable. Windows cannot open a directory, and some file systems refuse to flush one: then it is left. */
async function flushDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r').catch(() => undefined);
  try {
    await handle?.sync().catch(() => undefined);
  } finally {
    await handle?.close();
  }
}

/** Reads a safetensors file. Throws the file system's error, or a FormatError that names the file and what is wrong. */
export async function readSafetensorsFile(path: string, options: ReadOptions = {}): Promise<SafeTensors> {
  const bytes = await readFile(path);
  return atPath(path, () => readSafetensors(bytes, options));
}
