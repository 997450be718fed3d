import { extname } from 'node:path';
import { FormatError } from '@ostinato/core';
import { splitDocuments, streamLabelled } from '@ostinato/data';
import { streamTable } from '@ostinato/data/node';
import type { LabelledText } from '@ostinato/tasks/sentiment';
import { parseTaggedSentences, type TaggedSentence } from '@ostinato/tasks/tagging';
import { badInput } from './failure.ts';
import { readInput } from './text-input.ts';

/** How a file of labelled texts is read. */
export interface LabelledFormat {
  readonly format: 'lines' | 'csv' | 'tsv';
  readonly textColumn: string;
  readonly labelColumn: string;
}

/** The kind of a file by its name, unless the user says. */
export function formatOf(path: string, given: LabelledFormat['format'] | 'auto'): LabelledFormat['format'] {
  if (given !== 'auto') return given;
  const kinds: Record<string, LabelledFormat['format']> = { '.csv': 'csv', '.tsv': 'tsv' };
  return kinds[extname(path).toLowerCase()] ?? 'lines';
}

/** The texts of a file with their labels. Throws FormatError naming the line that is wrong. */
export async function readLabelled(option: string, path: string, format: LabelledFormat): Promise<LabelledText[]> {
  const written = await readInput(option, path);
  const examples: LabelledText[] = [];
  if (format.format === 'lines') {
    for await (const { label, text } of streamLabelled([written], { name: path })) examples.push({ label, text });
  } else {
    const columns = [format.labelColumn, format.textColumn];
    const delimiter = format.format === 'csv' ? ',' : '\t';
    for await (const { line, values } of streamTable([written], { columns, delimiter, name: path })) {
      const [label, text] = values.map(value => value.trim());
      if (!label || !text) {
        const missing = columns[label ? 1 : 0]!;
        const got = `nothing in column '${missing}' of line ${line} of ${path}`;
        throw new FormatError({ where: option, rule: 'every row must have a label and a text', got });
      }
      examples.push({ label, text });
    }
  }
  if (examples.length > 0) return examples;
  throw badInput(option, 'the file must hold texts with labels', `'${path}', which has none`);
}

/** The sentences of a file with their tags. Throws FormatError naming the line that is wrong. */
export async function readTagged(option: string, path: string): Promise<TaggedSentence[]> {
  return parseTaggedSentences(await readInput(option, path), { source: path });
}

/** Examples to train on and examples to measure with. */
export interface Parts<Example> {
  readonly training: readonly Example[];
  readonly validation: readonly Example[];
}

/** Holds a share of the examples out, drawn by the seed. */
export function holdOut<Example>(
  examples: readonly Example[],
  { validation, seed }: { readonly validation: number; readonly seed: number },
): Parts<Example> {
  if (validation === 0) return { training: examples, validation: [] };
  if (examples.length < 2) {
    throw badInput('--data', 'there must be examples to train on and to hold out', String(examples.length));
  }
  const share = Math.max(validation, 1 / examples.length);
  const parts = splitDocuments(examples, { validation: share, seed });
  return { training: parts.train, validation: parts.validation };
}

/** Lines of a file or of standard input (`-`), as they are; the last one may lack its end. A byte order mark is taken off. */
export async function readLines(path: string | undefined): Promise<string[]> {
  let text: string;
  if (path === undefined || path === '-') {
    const decoder = new TextDecoder('utf-8', { fatal: true });
    const chunks: Buffer[] = [];
    for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
    try {
      text = decoder.decode(Buffer.concat(chunks));
    } catch {
      throw badInput('standard input', 'must be UTF-8', 'other bytes', 'Save it as UTF-8.');
    }
  } else text = await readInput('file', path);
  const lines = text.replace(/^\ufeff/, '').split(/\r\n|\n/);
  if (lines.at(-1) === '') lines.pop();
  return lines;
}
