import { createHash } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { splitDocuments } from '@ostinato/data';
import { type PictureFile, type PictureFolderOptions, readPictureFolder } from '@ostinato/tasks/captioning/node';
import { badInput } from './failure.ts';
import type { Output } from './output.ts';
import { progressBar } from './progress.ts';
import type { Parts } from './text-data.ts';

/** How a folder of pictures is read. */
export type PictureReading = Pick<PictureFolderOptions, 'side' | 'columns'>;

/** The table of captions of a folder. */
export function captionTable(option: string, folder: string): string {
  if (!existsSync(folder)) throw badInput(option, 'no such folder', `'${folder}'`, 'Check the path.');
  if (!statSync(folder).isDirectory()) throw badInput(option, 'must be a folder', `'${folder}', a file`);
  const table = join(folder, 'captions.tsv');
  if (existsSync(table)) return table;
  throw badInput(option, 'the folder must hold captions.tsv', `'${folder}'`, 'It has the columns file and caption.');
}

/** The pictures of a folder, with progress. Throws FormatError naming the line or the file that is wrong. */
export async function readPictures(
  output: Output,
  option: string,
  folder: string,
  reading: PictureReading,
): Promise<PictureFile[]> {
  captionTable(option, folder);
  let last = performance.now();
  const pictures = await readPictureFolder(folder, {
    ...reading,
    onProgress(done, total) {
      if (performance.now() - last < 500 && done < total) return;
      last = performance.now();
      output.progress(`reading pictures  ${progressBar(done / total)}  ${done}/${total}`);
    },
  });
  output.settle();
  return pictures;
}

/** Holds a share of the pictures out, drawn by the seed; no caption of theirs is left among those to train on. */
export function holdOutPictures(
  pictures: readonly PictureFile[],
  { validation, seed }: { readonly validation: number; readonly seed: number },
): Parts<PictureFile> {
  if (validation === 0) return { training: pictures, validation: [] };
  if (pictures.length < 2) {
    throw badInput('--validation', 'there must be pictures to train on and to hold out', String(pictures.length));
  }
  const parts = splitDocuments(pictures, { validation: Math.max(validation, 1 / pictures.length), seed });
  const said = ({ captions }: PictureFile): string[] => captions.map(text => text.toLowerCase());
  const held = new Set(parts.validation.flatMap(said));
  const training = parts.train.filter(picture => !said(picture).some(text => held.has(text)));
  if (training.length > 0) return { training, validation: parts.validation };
  throw badInput('--validation', 'a caption must be left to train on', 'none that is not held out');
}

/** What pictures hold, as a number: a run goes on with the pictures that it began with. */
export function pictureDigest(pictures: readonly PictureFile[]): string {
  const hash = createHash('sha256');
  for (const { file, values } of pictures) hash.update(file).update(values);
  return hash.digest('hex');
}
