import { splitWords } from './text.ts';

/**
 * How BLEU cuts text into words:
 * `13a` mteval-v13a, the standard of WMT · `intl` mteval-v14, all punctuation and symbols of Unicode ·
 * `char` every character · `none` at white space, for text that is tokenized already.
 */
export type BleuTokenizer = '13a' | 'intl' | 'char' | 'none';

/** Every `BleuTokenizer`. */
export const bleuTokenizers: readonly BleuTokenizer[] = ['13a', 'intl', 'char', 'none'];

/**
 * The text with single spaces between its tokens; `none` leaves it as it is, and `char` leaves spaces where they were.
 *
 * `intl` asks this runtime's Unicode tables what is punctuation: characters younger than they are count as letters.
 *
 * Source: Post 2018, A call for clarity in reporting BLEU scores, arXiv 1804.08771; mteval-v13a.pl and mteval-v14.pl of NIST.
 */
export function tokenizeForBleu(text: string, tokenizer: BleuTokenizer): string {
  switch (tokenizer) {
    case '13a':
      return tokenize13a(text);
    case 'intl':
      return tokenizeInternational(text);
    case 'char':
      return [...text].join(' ');
    case 'none':
      return text;
  }
}

function tokenize13a(text: string): string {
  const plain = unescapeEntities(text.replaceAll('<skipped>', '').replaceAll('-\n', '').replaceAll('\n', ' '));
  return splitWords(separatePunctuation(` ${plain} `)).join(' ');
}

/** The four entities that occur in WMT files, in this order: `&amp;lt;` becomes `<`. */
export function unescapeEntities(text: string): string {
  if (!text.includes('&')) return text;
  return text.replaceAll('&quot;', '"').replaceAll('&amp;', '&').replaceAll('&lt;', '<').replaceAll('&gt;', '>');
}

/** ASCII punctuation apart from ' , - . and those three as the rules below say. */
export function separateAsciiSymbols(text: string): string {
  return text.replace(/[{-~[-` -&(-+:-@/]/g, ' $& ');
}

/** Periods and commas except between digits, and a dash behind a digit. */
export function separateMarksOfNumbers(text: string): string {
  return text
    .replace(/([^0-9])([.,])/gu, '$1 $2 ')
    .replace(/([.,])([^0-9])/gu, ' $1 $2')
    .replace(/([0-9])(-)/g, '$1 $2 ');
}

const separatePunctuation = (text: string): string => separateMarksOfNumbers(separateAsciiSymbols(text));

function tokenizeInternational(text: string): string {
  const separated = text
    .replace(/(\P{N})(\p{P})/gu, '$1 $2 ')
    .replace(/(\p{P})(\P{N})/gu, ' $1 $2')
    .replace(/\p{S}/gu, ' $& ');
  return splitWords(separated).join(' ');
}
