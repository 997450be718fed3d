import { extname } from 'node:path';
import { FormatError } from '@ostinato/core';
import { splitDocuments, streamLabelled } from '@ostinato/data';
import { streamTable } from '@ostinato/data/node';
import type { LabelledText } from '@ostinato/tasks/sentiment';
import { parseTaggedSentences, type TaggedSentence } from '@ostinato/tasks/tagging';
import { badInput } from './failure.ts';
import { sameFile, type TaskRecord } from './task-session.ts';
import { readInput } from './text-input.ts';

/** How a file of labelled texts is read. */
export interface LabelledFormat {
  /** `auto` goes by the name of the file. */
  readonly format: 'auto' | 'lines' | 'csv' | 'tsv';
  readonly textColumn: string;
  readonly labelColumn: string;
}

/** The kind of a file by its name, unless the user says. */
function kindOf(path: string, format: LabelledFormat['format']): 'lines' | 'csv' | 'tsv' {
  if (format !== 'auto') return format;
  const kinds: Record<string, 'csv' | 'tsv'> = { '.csv': 'csv', '.tsv': 'tsv', '.tab': 'tsv' };
  return kinds[extname(path).toLowerCase()] ?? 'lines';
}

/** The texts of a file with their labels. Throws FormatError naming the line that is wrong. */
async function readLabelled(option: string, path: string, format: LabelledFormat): Promise<LabelledText[]> {
  const kind = kindOf(path, format.format);
  const written = await readInput(option, path);
  const examples: LabelledText[] = [];
  if (kind === 'lines') {
    for await (const { label, text } of streamLabelled([written], { name: path })) examples.push({ label, text });
  } else {
    const columns = [format.labelColumn, format.textColumn];
    const delimiter = kind === 'csv' ? ',' : '\t';
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

/** Reads the examples of one file; `option` names it in errors. */
export type Reader<Example> = (option: string, path: string) => Promise<Example[]>;

/** Reads texts with their labels. Its reader throws FormatError naming the line that is wrong. */
export function labelled(format: LabelledFormat): Reader<LabelledText> {
  return (option, path) => readLabelled(option, path, format);
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
function holdOut<Example>(
  examples: readonly Example[],
  { validation, seed }: { readonly validation: number; readonly seed: number },
): Parts<Example> {
  if (validation === 0) return { training: examples, validation: [] };
  if (examples.length < 2) {
    throw badInput('--data', 'there must be examples to train on and to hold out', String(examples.length));
  }
  const share = Math.min(Math.max(validation, 1 / examples.length), 1 - 1 / examples.length);
  const parts = splitDocuments(examples, { validation: share, seed });
  return { training: parts.train, validation: parts.validation };
}

/** The examples of a fresh run. */
export async function readParts<Example>(
  read: Reader<Example>,
  { data, validationData }: { readonly data: string; readonly validationData?: string | undefined },
  held: { readonly validation: number; readonly seed: number },
): Promise<Parts<Example>> {
  const examples = await read('--data', data);
  if (validationData === undefined) return holdOut(examples, held);
  return { training: examples, validation: await read('--validation-data', validationData) };
}

/** The examples of a run that was begun before; `given` says where its files are now. Throws when they are others. */
export async function readPartsAgain<Example>(
  read: Reader<Example>,
  record: TaskRecord,
  given: Readonly<Record<string, unknown>>,
): Promise<Parts<Example>> {
  const data = await sameFile('data', record, given);
  const validationData = record.files['validationData'] && (await sameFile('validationData', record, given));
  return readParts(read, { data, validationData }, record);
}

/** Lines of a file or of standard input (`-`), as they are; the last one may lack its end. A byte order mark is taken off. */
export async function readLines(path: string | undefined): Promise<string[]> {
  if (path === undefined && process.stdin.isTTY) {
    throw badInput('input', 'there must be a text', 'none', 'Give it as an argument, with --file, or through a pipe.');
  }
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
  } else text = await readInput('--file', path);
  const lines = text.replace(/^\ufeff/, '').split(/\r\n|\n/);
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

/** What a command is asked about: its arguments, or the lines of a file that are not blank, by their numbers. */
export async function readTexts(
  what: string,
  given: readonly string[],
  file: string | undefined,
): Promise<{ readonly text: string; readonly line?: number }[]> {
  if (given.length > 0 && file !== undefined) {
    throw badInput('--file', `${what} come from the command line or from a file`, 'both');
  }
  if (given.some(text => text.trim() === '')) throw badInput(what, 'must not be blank', "''");
  if (given.length > 0) return given.map(text => ({ text }));
  const lines = (await readLines(file))
    .map((text, i) => ({ text, line: i + 1 }))
    .filter(({ text }) => text.trim() !== '');
  if (lines.length === 0) throw badInput(what, 'there must be a line that is not blank', 'none');
  return lines;
}
