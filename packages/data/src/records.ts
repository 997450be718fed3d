import { ArgumentError } from '@ostinato/core';

/** Options of `splitRecords` and `streamRecords`. */
export interface RecordOptions {
  /** What stands between records. `'\n'`: a record is a line. `'\n\n'`: blank lines separate records. Default `'\n'`. */
  readonly separator?: string | undefined;
}

/** Takes a text in chunks and hands out its records as they end. */
class RecordSplitter {
  readonly #separator: string;
  readonly #ofLines: boolean;
  #rest = '';
  /** A carriage return that ended a chunk: it may be half a line break. */
  #held = '';

  constructor(where: string, { separator = '\n' }: RecordOptions) {
    if (typeof separator !== 'string' || separator === '') {
      throw new ArgumentError({
        where,
        rule: 'separator must be a text that is not empty',
        got: JSON.stringify(separator),
      });
    }
    this.#separator = separator.replaceAll('\r\n', '\n');
    this.#ofLines = /^\n+$/.test(this.#separator);
  }

  push(chunk: string): string[] {
    const text = this.#held + chunk;
    const end = text.endsWith('\r') ? text.length - 1 : text.length;
    this.#held = text.slice(end);
    const records = (this.#rest + text.slice(0, end).replaceAll('\r\n', '\n')).split(this.#separator);
    this.#rest = records.pop()!;
    return this.#clean(records);
  }

  finish(): string[] {
    return this.#clean([this.#rest + this.#held]);
  }

  #clean(records: readonly string[]): string[] {
    const trimmed = this.#ofLines ? records.map(record => record.replace(/^\n+|\n+$/g, '')) : records;
    return trimmed.filter(record => record.trim() !== '');
  }
}

/**
 * Splits a text into records: lines, tunes, documents. `\r\n` counts as `\n`; records of white space alone are left out, and
 * where the separator consists of line breaks, records neither begin nor end with one.
 *
 * @throws ArgumentError when the separator is empty
 */
export function splitRecords(text: string, options: RecordOptions = {}): string[] {
  const splitter = new RecordSplitter('splitRecords', options);
  return [...splitter.push(text), ...splitter.finish()];
}

/**
 * The records of a text that arrives in chunks, such as `readTextStream` yields; the same as `splitRecords` of the whole,
 * with one record in memory at a time.
 *
 * @throws ArgumentError when the separator is empty
 */
export async function* streamRecords(
  chunks: AsyncIterable<string> | Iterable<string>,
  options: RecordOptions = {},
): AsyncGenerator<string, void, undefined> {
  const splitter = new RecordSplitter('streamRecords', options);
  for await (const chunk of chunks) yield* splitter.push(chunk);
  yield* splitter.finish();
}
