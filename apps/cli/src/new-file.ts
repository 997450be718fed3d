import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { badInput } from './failure.ts';

/** Checks that a file to write, if one is named, is none that is there. Makes nothing. */
export function checkNewFile(option: string, file: string | undefined): void {
  if (file !== undefined && existsSync(file)) {
    throw badInput(option, 'the file is there already and is not overwritten', `'${file}'`);
  }
}

/** Makes the folder of a file to write, if one is named: just before it is written, when nothing else can be wrong with the input. */
export function makeFolderOf(file: string | undefined): void {
  if (file !== undefined) mkdirSync(dirname(file), { recursive: true });
}
