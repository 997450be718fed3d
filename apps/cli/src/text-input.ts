import { existsSync, statSync } from 'node:fs';
import { readText } from '@ostinato/data/node';
import { badInput } from './failure.ts';

/**
 * The text of a UTF-8 file, whole: windows are drawn from anywhere in it. CRLF becomes LF.
 *
 * @throws ArgumentError when the file is missing or has no text, naming the option and the file; FormatError when it is
 * empty or not UTF-8
 */
export async function readInput(option: string, path: string): Promise<string> {
  if (!existsSync(path)) throw badInput(option, 'no such file', `'${path}'`);
  if (statSync(path).isDirectory()) throw badInput(option, 'must be a file', `'${path}', a folder`);
  const text = (await readText(path)).replaceAll('\r\n', '\n');
  if (text.trim() === '') throw badInput(option, 'the file must hold text', `'${path}', which is blank`);
  return text;
}
