import { existsSync, statSync } from 'node:fs';
import { extname } from 'node:path';
import type { Series } from '@ostinato/data';
import { readSeries } from '@ostinato/data/node';
import { badInput } from './failure.ts';

/** How a table of numbers is read; part of a run's record. */
export interface SeriesReading {
  readonly columns?: readonly string[] | undefined;
  readonly delimiter?: string | undefined;
}

/** The series of a file. Throws FormatError naming the line and the column that is wrong. */
export async function readSeriesFile(
  path: string,
  { columns, delimiter = extname(path).toLowerCase() === '.tsv' ? '\t' : ',' }: SeriesReading,
): Promise<Series> {
  if (!existsSync(path)) throw badInput('--data', 'no such file', `'${path}'`, 'Check the path.');
  if (statSync(path).isDirectory()) throw badInput('--data', 'must be a file', `'${path}', a folder`);
  return readSeries(path, { columns, delimiter });
}

/** Places of features by name. */
export function placesOf(option: string, wanted: readonly string[], series: Pick<Series, 'names'>): number[] {
  return wanted.map(name => {
    const place = series.names.indexOf(name);
    if (place >= 0) return place;
    throw badInput(option, `must be of ${series.names.map(one => `'${one}'`).join(', ')}`, `'${name}'`);
  });
}
