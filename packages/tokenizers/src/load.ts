import { BpeTokenizer } from './bpe-tokenizer.ts';
import { CharacterTokenizer } from './character-tokenizer.ts';
import { checkChoice, show, TokenizerError } from './errors.ts';
import { readHeader } from './json.ts';
import type { Tokenizer } from './tokenizer.ts';
import { WordTokenizer } from './word-tokenizer.ts';

const readers = {
  bpe: (value: unknown): Tokenizer => BpeTokenizer.fromJSON(value),
  character: (value: unknown): Tokenizer => CharacterTokenizer.fromJSON(value),
  word: (value: unknown): Tokenizer => WordTokenizer.fromJSON(value),
};

/**
 * The tokenizer, of whichever kind, that `toJSON` described.
 *
 * @param value a JSON value, parsed
 * @throws TokenizerError naming what is wrong: not a saved tokenizer, a newer version, an unknown type, a damaged field
 */
export function tokenizerFromJson(value: unknown): Tokenizer {
  const where = 'tokenizerFromJson';
  const { type } = readHeader(where, value);
  checkChoice(where, 'type', type, Object.keys(readers) as (keyof typeof readers)[]);
  return readers[type](value);
}

/**
 * The tokenizer that `save` wrote.
 *
 * @param text the text of the JSON file
 * @throws TokenizerError when the text is no JSON, and as `tokenizerFromJson` does
 */
export function loadTokenizer(text: string): Tokenizer {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new TokenizerError({ where: 'loadTokenizer', rule: 'the text must be JSON', got: show(text), cause });
  }
  return tokenizerFromJson(value);
}
