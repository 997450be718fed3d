import { FormatError } from '@ostinato/core';
import type { TaggedSentence } from './data.ts';

/** Options of `parseTaggedSentences`. */
export interface ParseTaggedOptions {
  /** Named in errors, e.g. the path of the file. Default `'text'`. */
  readonly source?: string | undefined;
}

/**
 * Reads sentences in columns, as the data of the CoNLL shared tasks are kept: a word and its tag a line, with white space between;
 * blank lines, and lines that begin with `-DOCSTART-`, separate sentences. With more columns the word is the first and the tag the last. Where there is a tab,
 * tabs separate, and words may have spaces in them. A byte order mark and CRLF are taken off.
 *
 * @throws FormatError naming the first line without a tag or with another number of columns than the first line, or when there is no sentence
 */
export function parseTaggedSentences(text: string, { source = 'text' }: ParseTaggedOptions = {}): TaggedSentence[] {
  const where = 'parseTaggedSentences';
  const sentences: TaggedSentence[] = [];
  let words: string[] = [];
  let tags: string[] = [];
  let columns = 0;
  const end = (): void => {
    if (words.length > 0) sentences.push({ words, tags });
    [words, tags] = [[], []];
  };
  for (const [i, line] of text
    .replace(/^\ufeff/, '')
    .split(/\r\n|\n/)
    .entries()) {
    if (line.trim() === '' || line.startsWith('-DOCSTART-')) {
      end();
      continue;
    }
    const fields = line.includes('\t') ? line.split('\t').map(field => field.trim()) : line.trim().split(/\s+/u);
    columns ||= fields.length;
    const word = fields[0] ?? '';
    const tag = fields.at(-1) ?? '';
    if (fields.length < 2 || fields.length !== columns || word === '' || tag === '') {
      throw new FormatError({
        where,
        rule: `line ${i + 1} of ${source}: a line must be a word and its tag, in as many columns as the first`,
        expected: `${Math.max(2, columns)} columns`,
        got: `${fields.length}: ${JSON.stringify(line.slice(0, 60))}`,
      });
    }
    words.push(word);
    tags.push(tag);
  }
  end();
  if (sentences.length > 0) return sentences;
  throw new FormatError({ where, rule: `${source} must have a sentence`, got: 'none' });
}

/** Sentences in two columns with a tab between, as `parseTaggedSentences` reads them. */
export function formatTaggedSentences(sentences: readonly TaggedSentence[]): string {
  return sentences.map(({ words, tags }) => words.map((word, i) => `${word}\t${tags[i]}\n`).join('')).join('\n');
}
