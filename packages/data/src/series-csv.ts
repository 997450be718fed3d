import { FormatError } from '@ostinato/core';
import type { TextChunks } from './lines.ts';
import { type Series, seriesOf } from './series.ts';
import { streamTable, type TableRow } from './table.ts';

/** Options of `parseSeries`. */
export interface ParseSeriesOptions {
  /**
   * Which columns, by name or by number from 1. Default: every column that begins with a number; others (dates, names) are left out.
   */
  readonly columns?: readonly string[] | undefined;
  /** What separates the fields. Default `','`. */
  readonly delimiter?: string | undefined;
  /** What the text is called in errors. Default `'the table'`. */
  readonly name?: string | undefined;
}

const where = 'parseSeries';
const number = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/**
 * Columns of a CSV or TSV text as a series, row after row in order of time: see `streamTable`. The first row names the columns; where it
 * has a number in it already, they are called `1`, `2` … White space around values is dropped.
 *
 * @param text whole, or in chunks as `readTextStream` yields them
 * @throws FormatError naming the line and the column when a value is missing or no number, or rows differ in length; when a column is
 *   not there, the names of those that are
 */
export async function parseSeries(text: string | TextChunks, options: ParseSeriesOptions = {}): Promise<Series> {
  const { columns, delimiter, name = 'the table' } = options;
  const rows: TableRow[] = [];
  const chunks = typeof text === 'string' ? [text] : text;
  for await (const { line, values } of streamTable(chunks, { columns: 'all', header: false, delimiter, name })) {
    rows.push({ line, values: values.map(value => value.trim()) });
  }
  const fail = (rule: string, facts: { got: string; expected?: string; advice?: string }): never => {
    throw new FormatError({ where, rule: `${name}: ${rule}`, ...facts });
  };
  const [first, ...rest] = rows;
  if (first === undefined) return fail('there must be rows', { got: 'none' });
  const headed = !first.values.some(value => number.test(value));
  const numbers = first.values.map((_, place) => String(place + 1));
  const names = headed ? first.values.map((title, place) => title || numbers[place]!) : numbers;
  const data = headed ? rest : rows;
  if (data.length === 0) return fail('there must be rows behind the heading', { got: 'none' });
  const places =
    columns?.map(column => {
      const place = names.includes(column) ? names.indexOf(column) : numbers.indexOf(column);
      const expected = `${names.map(title => `'${title}'`).join(' | ')}, or a number from 1 to ${names.length}`;
      return place >= 0 ? place : fail('unknown column', { expected, got: `'${column}'` });
    }) ?? [...numbers.keys()].filter(place => number.test(data[0]!.values[place]!));
  if (places.length === 0) {
    const got = `'${data[0]!.values.join("', '")}' in line ${data[0]!.line}`;
    const advice = 'Where something else than commas separates the columns, name it as the delimiter.';
    return fail('there must be a column of numbers', { got, ...(names.length === 1 ? { advice } : {}) });
  }
  const titles = places.map(place => names[place]!);
  if (new Set(titles).size < titles.length) {
    return fail('columns must differ in name', { got: titles.map(title => `'${title}'`).join(', ') });
  }
  const numberAt = ({ values, line }: TableRow, place: number): number => {
    const text = values[place]!;
    const value = number.test(text) ? Number(text) : Number.NaN;
    if (Number.isFinite(value)) return value;
    const rule = text === '' ? 'a value is missing' : 'a value must be a number';
    const got = `${text === '' ? 'nothing' : `'${text}'`} in line ${line}, column '${names[place]}'`;
    return fail(rule, { got, advice: 'Fill it in, or take the line out.' });
  };
  return seriesOf(Object.fromEntries(places.map((place, i) => [titles[i]!, data.map(row => numberAt(row, place))])));
}
