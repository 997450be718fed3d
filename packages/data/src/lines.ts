import { ArgumentError, checkChoice, FormatError } from '@ostinato/core';

/** Text in chunks, such as `readTextStream` yields. */
export type TextChunks = AsyncIterable<string> | Iterable<string>;

/**
 * The lines of a text that arrives in chunks, empty ones too, so that line numbers hold: 1 is the first. `\r\n` counts as `\n`; a
 * line break at the very end begins no line.
 */
export async function* streamLines(chunks: TextChunks): AsyncGenerator<string, void, undefined> {
  let rest = '';
  for await (const chunk of chunks) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop()!;
    for (const line of lines) yield line.endsWith('\r') ? line.slice(0, -1) : line;
  }
  if (rest !== '') yield rest.endsWith('\r') ? rest.slice(0, -1) : rest;
}

/** Two lines that say the same. */
export interface TextPair {
  /** Number of the line in both texts, from 1. */
  readonly line: number;
  readonly source: string;
  readonly target: string;
}

/** Options of `streamPairs`. */
export interface PairOptions {
  /** What becomes of a line that is blank on either side: `skip` leaves it out, `keep` hands it out. Default `'skip'`. */
  readonly blank?: 'skip' | 'keep' | undefined;
  /** What the texts are called in errors. Default `['source', 'target']`. */
  readonly names?: readonly [source: string, target: string] | undefined;
}

/**
 * Two texts whose lines are translations of each other, pair by pair. White space at the ends of lines is taken off.
 *
 * @throws FormatError when one text has more lines, once the shorter has ended: with the line and both counts
 */
export async function* streamPairs(
  source: TextChunks,
  target: TextChunks,
  { blank = 'skip', names = ['source', 'target'] }: PairOptions = {},
): AsyncGenerator<TextPair, void, undefined> {
  checkChoice('streamPairs', 'blank', blank, ['skip', 'keep']);
  const [left, right] = [streamLines(source), streamLines(target)];
  try {
    for (let line = 1; ; line++) {
      const [one, other] = [await left.next(), await right.next()];
      if (one.done && other.done) return;
      if (one.done || other.done) {
        let longer = line;
        for await (const _ of one.done ? right : left) longer++;
        const counts = one.done ? [line - 1, longer] : [longer, line - 1];
        throw new FormatError({
          where: 'streamPairs',
          rule: 'both texts must have as many lines',
          got: `${counts[0]} in ${names[0]} and ${counts[1]} in ${names[1]}: line ${line} has no counterpart`,
          advice: 'Line n of one must be the translation of line n of the other.',
        });
      }
      const pair = { line, source: one.value.trim(), target: other.value.trim() };
      if (blank === 'keep' || (pair.source !== '' && pair.target !== '')) yield pair;
    }
  } finally {
    await Promise.all([left.return(), right.return()]);
  }
}

/** A text and what it is. */
export interface LabelledText {
  /** Number of its line, from 1. */
  readonly line: number;
  readonly label: string;
  readonly text: string;
}

/** Options of `streamLabelled`. */
export interface LabelledOptions {
  /** Where the label stands. Default `'first'`. */
  readonly label?: 'first' | 'last' | undefined;
  /** What stands between label and text. Default: the first (or last) run of white space. */
  readonly separator?: string | undefined;
  /** What the text is called in errors. Default `'the text'`. */
  readonly name?: string | undefined;
}

/**
 * Lines of a label and a text: `1 a stirring film`, `positive<TAB>a stirring film`, `__label__1 a stirring film` (fastText; the
 * prefix is taken off). Blank lines are left out.
 *
 * @throws FormatError with the number of a line that lacks a label or a text; ArgumentError when the separator is empty
 */
export async function* streamLabelled(
  chunks: TextChunks,
  { label: place = 'first', separator, name = 'the text' }: LabelledOptions = {},
): AsyncGenerator<LabelledText, void, undefined> {
  const where = 'streamLabelled';
  checkChoice(where, 'label', place, ['first', 'last']);
  if (separator === '') throw new ArgumentError({ where, rule: 'separator must not be empty', got: "''" });
  let line = 0;
  for await (const written of streamLines(chunks)) {
    line++;
    const whole = written.trim();
    if (whole === '') continue;
    const [before, after] = splitAt(whole, separator, place);
    const [label, text] = place === 'first' ? [before, after] : [after, before];
    if (!label || !text) {
      throw new FormatError({
        where,
        rule: 'every line must have a label and a text',
        expected: `${place === 'first' ? 'LABEL TEXT' : 'TEXT LABEL'} with ${separator === undefined ? 'white space' : JSON.stringify(separator)} between`,
        got: `${JSON.stringify(whole.slice(0, 60))} in line ${line} of ${name}`,
      });
    }
    yield { line, label: label.replace(/^__label__(?=.)/, ''), text };
  }
}

function splitAt(line: string, separator: string | undefined, place: 'first' | 'last'): [string, string] {
  const find = (what: string): number => (place === 'first' ? line.indexOf(what) : line.lastIndexOf(what));
  const at =
    separator === undefined ? (place === 'first' ? line.search(/\s/) : line.search(/\s\S+$/)) : find(separator);
  if (at < 0) return ['', ''];
  return [line.slice(0, at).trim(), line.slice(at + (separator?.length ?? 1)).trim()];
}
