import { type FileHandle, open } from 'node:fs/promises';
import { checkNumber, FormatError, ResourceError } from '@ostinato/core';
import {
  type LabelledOptions,
  type LabelledText,
  type PairOptions,
  streamLabelled,
  streamPairs,
  type TextPair,
} from './lines.ts';
import type { Series } from './series.ts';
import { type ParseSeriesOptions, parseSeries } from './series-csv.ts';
import { streamTable, type TableOptions, type TableRow } from './table.ts';
import { firstInvalidByte, incompleteTail } from './utf8.ts';

export { type ParseSeriesOptions, parseSeries } from './series-csv.ts';
export { streamTable, type TableOptions, type TableRow } from './table.ts';

/** Options of `readTextStream`. */
export interface ReadTextOptions {
  /** Bytes read at a time. Default 65536. */
  readonly chunkSize?: number | undefined;
}

/**
 * Reads a UTF-8 text file in chunks, so that a file larger than memory can be counted, split or encoded. No chunk ends
 * inside a character. A byte order mark is dropped. The file is closed when the loop ends, also early.
 *
 * @throws ResourceError when the file is missing or cannot be read
 * @throws FormatError when it is empty, or not UTF-8: the message names the first wrong byte and its offset
 */
export async function* readTextStream(
  path: string | URL,
  { chunkSize = 65536 }: ReadTextOptions = {},
): AsyncGenerator<string, void, undefined> {
  checkNumber('readTextStream', 'chunkSize', chunkSize, { integer: true, min: 1 });
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  let pending = new Uint8Array(0);
  let offset = 0; // of the first pending byte in the file
  let begun = false;
  for await (const chunk of readBytes(path, chunkSize)) {
    const bytes = new Uint8Array(pending.length + chunk.length);
    bytes.set(pending);
    bytes.set(chunk, pending.length);
    const whole = bytes.subarray(0, bytes.length - incompleteTail(bytes));
    let text: string;
    try {
      text = decoder.decode(whole);
    } catch {
      throw wrongByte(path, bytes, firstInvalidByte(whole), offset);
    }
    pending = bytes.slice(whole.length);
    offset += whole.length;
    if (!begun && text.startsWith('\ufeff')) text = text.slice(1);
    begun ||= whole.length > 0;
    if (text !== '') yield text;
  }
  if (pending.length > 0) throw wrongByte(path, pending, 0, offset);
  if (offset === 0)
    throw new FormatError({ where: 'readTextStream', rule: 'the file must not be empty', got: show(path) });
}

/**
 * A whole UTF-8 text file.
 *
 * @throws as `readTextStream` does
 */
export async function readText(path: string | URL): Promise<string> {
  let text = '';
  for await (const chunk of readTextStream(path)) text += chunk;
  return text;
}

/**
 * Columns of a CSV file as a series: see `parseSeries`.
 *
 * @throws ResourceError when the file is missing or cannot be read; FormatError naming the file and the line when it does not hold what
 *   it should
 */
export async function readSeries(path: string | URL, options: Omit<ParseSeriesOptions, 'name'> = {}): Promise<Series> {
  return parseSeries(readTextStream(path), { ...options, name: show(path) });
}

async function* readBytes(path: string | URL, chunkSize: number): AsyncGenerator<Uint8Array, void, undefined> {
  let file: FileHandle | undefined;
  try {
    try {
      file = await open(path, 'r');
    } catch (cause) {
      throw unreadable(path, cause);
    }
    for (;;) {
      const buffer = new Uint8Array(chunkSize);
      let count: number;
      try {
        count = (await file.read(buffer, 0, chunkSize)).bytesRead;
      } catch (cause) {
        throw unreadable(path, cause);
      }
      if (count === 0) return;
      yield buffer.subarray(0, count);
    }
  } finally {
    await file?.close();
  }
}

const show = (path: string | URL): string => JSON.stringify(String(path));

function unreadable(path: string | URL, cause: unknown): ResourceError {
  const code = String((cause as { code?: unknown }).code ?? cause);
  const reasons: Record<string, string> = {
    ENOENT: 'there is no such file',
    EISDIR: 'it is a folder',
    EACCES: 'reading it is not allowed',
  };
  const got = `${show(path)}: ${reasons[code] ?? code}`;
  return new ResourceError({ where: 'readTextStream', rule: 'the file cannot be read', got, cause });
}

function wrongByte(path: string | URL, bytes: Uint8Array, index: number, offset: number): FormatError {
  const byte = `0x${bytes[index]!.toString(16).padStart(2, '0')}`;
  const utf16 = offset + index === 0 && (bytes[0] === 0xff || bytes[0] === 0xfe);
  return new FormatError({
    where: 'readTextStream',
    rule: 'the file must be UTF-8',
    got: `the byte ${byte} at offset ${offset + index} of ${show(path)}`,
    advice: utf16 ? 'It looks like UTF-16: save it as UTF-8.' : 'Save it as UTF-8.',
  });
}

/**
 * Two files whose lines are translations of each other, pair by pair: `streamPairs` of both.
 *
 * @throws as `readTextStream` and `streamPairs` do
 */
export async function* readPairs(
  source: string | URL,
  target: string | URL,
  options: Omit<PairOptions, 'names'> = {},
): AsyncGenerator<TextPair, void, undefined> {
  const names = [show(source), show(target)] as const;
  yield* streamPairs(readTextStream(source), readTextStream(target), { ...options, names });
}

/** A file of labelled lines: `streamLabelled` of its text. Throws as `readTextStream` and `streamLabelled` do. */
export async function* readLabelled(
  path: string | URL,
  options: Omit<LabelledOptions, 'name'> = {},
): AsyncGenerator<LabelledText, void, undefined> {
  yield* streamLabelled(readTextStream(path), { ...options, name: show(path) });
}

/**
 * Columns of a CSV or TSV file, row by row: `streamTable` of its text. The delimiter is a tab where the name ends with `.tsv` or
 * `.tab`, a comma elsewhere, unless `delimiter` says otherwise.
 *
 * @throws as `readTextStream` and `streamTable` do
 */
export async function* readTable(
  path: string | URL,
  { delimiter = /\.(tsv|tab)$/i.test(String(path)) ? '\t' : ',', ...options }: Omit<TableOptions, 'name'>,
): AsyncGenerator<TableRow, void, undefined> {
  yield* streamTable(readTextStream(path), { ...options, delimiter, name: show(path) });
}
