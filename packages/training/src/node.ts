import { readFile } from 'node:fs/promises';
import { atPath } from '@ostinato/core';
import { writeFileAtomic } from '@ostinato/weights/node';
import { type Checkpoint, decodeCheckpoint, encodeCheckpoint } from './checkpoint.ts';

/** Writes a checkpoint: whenever the process stops, the file is the old one or the new one, whole. */
export async function saveCheckpoint(path: string, checkpoint: Checkpoint): Promise<void> {
  await writeFileAtomic(path, encodeCheckpoint(checkpoint));
}

/** Reads a checkpoint. Throws the file system's error, or a FormatError that names the file and what is wrong with it. */
export async function loadCheckpoint(path: string): Promise<Checkpoint> {
  const bytes = await readFile(path);
  return atPath(path, () => decodeCheckpoint(bytes));
}
