import { existsSync, statSync } from 'node:fs';
import { FormatError } from '@ostinato/core';
import { readText } from '@ostinato/data/node';
import { badInput } from './failure.ts';

/**
 * The text of a UTF-8 file, whole: windows are drawn from anywhere in it. CRLF becomes LF.
 *
 * @throws ArgumentError or FormatError, naming the option and the file, when it is missing, empty, blank or not UTF-8
 */
export async function readInput(option: string, path: string): Promise<string> {
  if (!existsSync(path)) throw badInput(option, 'no such file', `'${path}'`, 'Check the path.');
  if (statSync(path).isDirectory()) throw badInput(option, 'must be a file', `'${path}', a folder`);
  const text = (await read(option, path)).replaceAll('\r\n', '\n');
  if (text.trim() === '')
    throw badInput(option, 'the file must hold text', `'${path}', which is blank`, 'Name a file with text.');
  return text;
}

async function read(option: string, path: string): Promise<string> {
  try {
    return await readText(path);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw new FormatError({ advice: 'Name a file with text.', ...error.parts, where: option, cause: error });
  }
}
