import { pipeline, Readable } from 'node:stream';
import { ArgumentError, FormatError } from '@ostinato/core';
import { CsvError, type Options, parse } from 'csv-parse';
import type { TextChunks } from './lines.ts';

/** Options of `streamTable`. */
export interface TableOptions {
  /** Which columns, by the name in the header or by place from 0, or `'all'`. */
  readonly columns: readonly (string | number)[] | 'all';
  /** What separates the fields. Default `','`. */
  readonly delimiter?: string | undefined;
  /** Whether the first row names the columns. Default true; false needs places. */
  readonly header?: boolean | undefined;
  /** Whether `"` quotes fields, and `""` in them is one. Default: unless tabs separate, where a quotation mark is only that. */
  readonly quotes?: boolean | undefined;
  /** What the text is called in errors. Default `'the table'`. */
  readonly name?: string | undefined;
}

/** A row of a table. */
export interface TableRow {
  /** The line in which it ends, from 1. */
  readonly line: number;
  /** As the columns were asked for. */
  readonly values: readonly string[];
}

/**
 * Columns of a CSV or TSV text (RFC 4180: quoted fields may hold delimiters and line breaks), row by row. Empty lines and a byte
 * order mark are left out.
 *
 * @throws FormatError when a row has another number of fields, a quote stands in a wrong place, or a column is missing: with the line
 */
export async function* streamTable(
  chunks: TextChunks,
  { columns, delimiter = ',', header = true, quotes = delimiter !== '\t', name = 'the table' }: TableOptions,
): AsyncGenerator<TableRow, void, undefined> {
  const where = 'streamTable';
  if (columns.length === 0) throw new ArgumentError({ where, rule: 'columns must name at least one', got: 'none' });
  if (!header && columns !== 'all' && columns.some(column => typeof column === 'string')) {
    const advice = 'Count columns from 0, or set header.';
    throw new ArgumentError({ where, rule: 'without a header columns are places', got: columns.join(', '), advice });
  }
  const settings: Options = { bom: true, delimiter, info: true, quote: quotes ? '"' : null, skip_empty_lines: true };
  const parser = parse(settings);
  // An error of the source becomes one of the parser, which is thrown below.
  pipeline(Readable.from(chunks, { objectMode: false }), parser, () => undefined);
  let places: readonly number[] | undefined;
  try {
    for await (const row of parser as AsyncIterable<{ record: string[]; info: { lines: number } }>) {
      if (!places) {
        places = placesOf(columns, header ? row.record : null, { width: row.record.length, name });
        if (header) continue;
      }
      yield { line: row.info.lines, values: places.map(place => row.record[place]!) };
    }
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    const line = (error as { lines?: number }).lines;
    throw new FormatError({
      where,
      rule: `${name} must be a table of as many fields in every row`,
      got: `in line ${line}: ${error.message}`,
      advice: `The fields are separated by ${JSON.stringify(delimiter)}: another delimiter?`,
      cause: error,
    });
  } finally {
    parser.destroy();
  }
}

function placesOf(
  columns: readonly (string | number)[] | 'all',
  header: readonly string[] | null,
  { width, name }: { readonly width: number; readonly name: string },
): number[] {
  if (columns === 'all') return Array.from({ length: width }, (_, place) => place);
  return columns.map(column => {
    const place = typeof column === 'number' ? column : header!.findIndex(title => title.trim() === column);
    if (Number.isInteger(place) && place >= 0 && place < width) return place;
    throw new FormatError({
      where: 'streamTable',
      rule: `${name} must have the column ${JSON.stringify(column)}`,
      got: header ? header.map(title => JSON.stringify(title.trim())).join(', ') : `0 … ${width - 1}`,
    });
  });
}
