import { readFile } from 'node:fs/promises';
import { ResourceError } from '@ostinato/core';

/** The bytes of a model's file. @throws ResourceError naming the file when it is missing or cannot be read */
export async function readModelFile(where: string, path: string): Promise<Uint8Array> {
  return await readFile(path).catch((cause: NodeJS.ErrnoException) => {
    const reasons: Record<string, string> = { ENOENT: 'there is no such file', EISDIR: 'it is a folder' };
    throw new ResourceError({
      where,
      rule: 'the file cannot be read',
      got: `'${path}': ${reasons[cause.code ?? ''] ?? cause.message}`,
      cause,
    });
  });
}
