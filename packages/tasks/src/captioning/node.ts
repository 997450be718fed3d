import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ArgumentError, atPath, checkNumber, FormatError, ResourceError } from '@ostinato/core';
import { readText, streamTable } from '@ostinato/data/node';
import { writeFileAtomic } from '@ostinato/weights/node';
import { readModelFile } from '../shared/model-file.ts';
import type { CaptionedPicture } from './examples.ts';
import { type Picture, pictureValues } from './pictures.ts';
import { decodeCaptioner, type EncodeCaptionerOptions, encodeCaptioner, type LoadedCaptioner } from './saved.ts';

/** Writes a model and its tokenizer to one safetensors file, whole or not at all. */
export async function saveCaptioner(path: string, options: EncodeCaptionerOptions): Promise<void> {
  await writeFileAtomic(path, await encodeCaptioner(options));
}

/**
 * Reads a model from a file that `saveCaptioner` or a training run wrote.
 *
 * @throws ResourceError when the file is missing or cannot be read; FormatError that names the file and what is wrong with it
 */
export async function loadCaptioner(path: string): Promise<LoadedCaptioner> {
  const bytes = await readModelFile('loadCaptioner', path);
  return atPath(path, () => decodeCaptioner(bytes));
}

/** Options of `decodePicture` and `readPicture`. */
export interface DecodePictureOptions {
  /** Pixels of the longer side at most; larger pictures are made smaller while they are decoded. Default 512. */
  readonly longest?: number | undefined;
  /** What the picture is called in errors. Default 'the picture'. */
  readonly name?: string | undefined;
}

const noSharp = 'Pictures are decoded by the package `sharp`: npm install sharp.';

/**
 * Decodes a picture: PNG, JPEG, WebP, GIF (its first frame), AVIF, TIFF or SVG. It is turned as its EXIF data say.
 *
 * Needs the package `sharp`, which this package does not install.
 *
 * @throws FormatError naming the picture when it is none, or is damaged; ResourceError when `sharp` is not installed
 */
export async function decodePicture(
  bytes: Uint8Array,
  { longest = 512, name = 'the picture' }: DecodePictureOptions = {},
): Promise<Picture> {
  const where = 'decodePicture';
  checkNumber(where, 'longest', longest, { integer: true, min: 1 });
  const { default: sharp } = await import('sharp').catch((cause: unknown) => {
    const rule = '`sharp` must be installed';
    throw new ResourceError({ where, rule, got: 'none that can be loaded', advice: noSharp, cause });
  });
  try {
    const { data, info } = await sharp(bytes)
      .autoOrient()
      .resize({ width: longest, height: longest, fit: 'inside', withoutEnlargement: true })
      .toColourspace('srgb')
      .ensureAlpha()
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    return { width: info.width, height: info.height, data };
  } catch (cause) {
    const rule = 'must be a picture in PNG, JPEG, WebP, GIF, AVIF, TIFF or SVG';
    const got = cause instanceof Error ? cause.message : String(cause);
    throw new FormatError({ where: name, rule, got, cause });
  }
}

/**
 * Reads a picture from a file: see `decodePicture`. `path#xywh=left,top,width,height` is a part of it, in pixels of the decoded picture
 * (Media Fragments URI 1.0, W3C 2012, § 4.2.2), which keeps many small pictures in one file.
 *
 * @throws ResourceError when the file cannot be read; otherwise as `decodePicture`, or ArgumentError when the part lies outside
 */
export async function readPicture(path: string, options: Omit<DecodePictureOptions, 'name'> = {}): Promise<Picture> {
  return pictureReader(options)(path);
}

const fragment = /^(.*)#xywh=(\d+),(\d+),(\d+),(\d+)$/s;

/** Reads pictures; the last file that parts were asked of is not decoded again. */
function pictureReader(options: Omit<DecodePictureOptions, 'name'>): (path: string) => Promise<Picture> {
  let sheet: { readonly path: string; readonly picture: Picture } | undefined;
  const whole = async (path: string, longest?: number): Promise<Picture> => {
    const bytes = await readFile(path).catch((cause: NodeJS.ErrnoException) => {
      const got = cause.code === 'ENOENT' ? 'no such file' : cause.message;
      throw new ResourceError({ where: 'readPicture', rule: `'${path}' must be a file that can be read`, got, cause });
    });
    return decodePicture(bytes, { ...options, ...(longest ? { longest } : {}), name: `'${path}'` });
  };
  return async path => {
    const [, file, ...box] = fragment.exec(path) ?? [];
    if (file === undefined && path.includes('#xywh=')) {
      const [expected, got] = ['#xywh=left,top,width,height in whole pixels', path.slice(path.indexOf('#xywh='))];
      throw new ArgumentError({ where: 'readPicture', rule: `the part of '${path}' must be told`, expected, got });
    }
    if (file === undefined) return whole(path);
    if (sheet?.path !== file) sheet = { path: file, picture: await whole(file, 1 << 14) };
    return part(path, sheet.picture, box.map(Number) as [number, number, number, number]);
  };
}

function part(
  path: string,
  { width, height, data }: Picture,
  [left, top, w, h]: [number, number, number, number],
): Picture {
  if (w === 0 || h === 0 || left + w > width || top + h > height) {
    const rule = `the part must lie in '${path}'`;
    throw new ArgumentError({
      where: 'readPicture',
      rule,
      expected: `at most ${width} × ${height} pixels`,
      got: 'more',
    });
  }
  const out = new Uint8Array(4 * w * h);
  for (let row = 0; row < h; row++) {
    const from = 4 * ((top + row) * width + left);
    out.set(data.subarray(from, from + 4 * w), 4 * w * row);
  }
  return { width: w, height: h, data: out };
}

/** A picture of a folder, with all its captions. */
export interface PictureFile extends CaptionedPicture {
  /** As `captions.tsv` names it. */
  readonly file: string;
}

/** Options of `readPictureFolder`. */
export interface PictureFolderOptions {
  /** Height and width in pixels that the model reads: `model.config.side`. */
  readonly side: number;
  /** Columns of the table. Default `file` and `caption`. */
  readonly columns?: readonly [file: string, caption: string] | undefined;
  /** Told after each picture. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Reads a folder of pictures with their captions: a table `captions.tsv` with the columns `file` (path below the folder, as in
 * `readPicture`) and `caption`; a file on several rows has several captions. UTF-8, with or without byte order mark, LF or CRLF; empty
 * lines are skipped.
 *
 * @throws FormatError naming the line of the table, or the file that is no picture; ResourceError naming the file that cannot be read; the
 *   signal's reason
 */
export async function readPictureFolder(
  folder: string,
  { side, columns = ['file', 'caption'], onProgress, signal }: PictureFolderOptions,
): Promise<PictureFile[]> {
  const where = 'readPictureFolder';
  checkNumber(where, 'side', side, { integer: true, min: 1 });
  const table = join(folder, 'captions.tsv');
  const captions = new Map<string, string[]>();
  const text = await readText(table);
  for await (const { line, values } of streamTable([text], { columns: [...columns], delimiter: '\t', name: table })) {
    const [file, caption] = values.map(value => value.trim());
    if (!file || !caption) {
      const got = `nothing in column '${columns[file ? 1 : 0]}' of line ${line} of ${table}`;
      throw new FormatError({ where, rule: 'every row must have a file and a caption', got });
    }
    const known = captions.get(file);
    if (!known && !existsSync(join(folder, fragment.exec(file)?.[1] ?? file))) {
      const got = `'${file}' in line ${line} of ${table}, which is not there`;
      throw new FormatError({ where, rule: 'every picture must be in the folder', got });
    }
    captions.set(file, [...(known ?? []), caption]);
  }
  if (captions.size === 0) {
    throw new FormatError({ where, rule: 'there must be a picture', got: `none in ${table}` });
  }
  const read = pictureReader({ longest: Math.max(512, 4 * side) });
  const pictures: PictureFile[] = [];
  for (const [file, said] of captions) {
    signal?.throwIfAborted();
    pictures.push({ file, captions: said, values: pictureValues(await read(join(folder, file)), side) });
    onProgress?.(pictures.length, captions.size);
  }
  return pictures;
}
