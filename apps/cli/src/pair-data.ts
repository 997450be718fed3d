import { extname } from 'node:path';
import { FormatError } from '@ostinato/core';
import { splitDocuments, streamPairs } from '@ostinato/data';
import { streamTable } from '@ostinato/data/node';
import type { SentencePair } from '@ostinato/tasks/translation';
import { bundled } from './bundled.ts';
import { badInput } from './failure.ts';
import type { Parts } from './text-data.ts';
import { readInput } from './text-input.ts';

/** Where sentences and their translations are: two files, or two columns of one; what comes along when neither is named. */
export interface PairFiles {
  readonly source?: string | undefined;
  readonly target?: string | undefined;
  readonly data?: string | undefined;
  readonly sourceColumn: string;
  readonly targetColumn: string;
}

/** The files by the options that name them, for the record of a run. */
export function pairPaths({ source, target, data }: PairFiles): Record<string, string> {
  if (source === undefined && target === undefined) return { data: data ?? bundled.translation };
  if (data !== undefined) throw badInput('--data', 'pairs come from one file or from --source and --target', 'all');
  if (source === undefined || target === undefined) {
    throw badInput(`--${source === undefined ? 'source' : 'target'}`, 'both files must be named', 'one');
  }
  return { source, target };
}

/** The pairs of the files. Throws FormatError naming the line that has no counterpart. */
export async function readPairFiles(files: PairFiles): Promise<SentencePair[]> {
  const { source, target, data } = pairPaths(files);
  const pairs: SentencePair[] = [];
  if (data === undefined) {
    const texts = [await readInput('--source', source!), await readInput('--target', target!)] as const;
    const names = [source!, target!] as const;
    for await (const pair of streamPairs([texts[0]], [texts[1]], { names })) {
      pairs.push({ source: pair.source, target: pair.target });
    }
  } else {
    const delimiter = extname(data).toLowerCase() === '.csv' ? ',' : '\t';
    const columns = [files.sourceColumn, files.targetColumn];
    const text = await readInput('--data', data);
    for await (const { line, values } of streamTable([text], { columns, delimiter, name: data })) {
      const [from, to] = values.map(value => value.trim());
      if (!from || !to) {
        const got = `nothing in column '${columns[from ? 1 : 0]}' of line ${line} of ${data}`;
        throw new FormatError({ where: '--data', rule: 'every row must have both sentences', got });
      }
      pairs.push({ source: from, target: to });
    }
  }
  if (pairs.length > 0) return pairs;
  throw badInput(data === undefined ? '--source' : '--data', 'there must be pairs of sentences', 'none');
}

/** Holds a share of the pairs out, drawn by the seed; no sentence of theirs is left among those to train on. */
export function holdOutPairs(
  pairs: readonly SentencePair[],
  { validation, seed }: { readonly validation: number; readonly seed: number },
): Parts<SentencePair> {
  if (validation === 0) return { training: pairs, validation: [] };
  if (pairs.length < 2) {
    throw badInput('--validation', 'there must be pairs to train on and to hold out', String(pairs.length));
  }
  const parts = splitDocuments(pairs, { validation: Math.max(validation, 1 / pairs.length), seed });
  const held = new Set(parts.validation.map(({ source }) => source));
  return { training: parts.train.filter(({ source }) => !held.has(source)), validation: parts.validation };
}
