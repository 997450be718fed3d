import { FormatError } from '@ostinato/core';

/**
 * A strict JSON parser for headers of files that nobody vouches for. Unlike `JSON.parse` it refuses an object with the same
 * key twice, text nested deeper than a header can be, and lone surrogates; objects are Maps, so `__proto__` is a key like
 * any other; a number stays the text it was, so that nothing is rounded before it is judged.
 */
export type Json = null | boolean | string | JsonNumber | readonly Json[] | ReadonlyMap<string, Json>;

/** A number as it was written. */
export class JsonNumber {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

const deepest = 16;
const whitespace = /[ \t\n\r]*/y;
const numberToken = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const word = /true|false|null/y;

/** In a `u` expression a surrogate pair is one character, so this finds only halves. */
export const loneSurrogate: RegExp = /\p{Surrogate}/u;

/**
 * Parses `text`, all of it.
 *
 * @throws FormatError naming what is wrong and the character it is at
 */
export function parseJson(where: string, text: string): Json {
  let position = 0;

  const fail = (rule: string): never => {
    const got = position < text.length ? `${JSON.stringify(text.slice(position, position + 12))}` : 'the end';
    throw new FormatError({ where, rule, got: `${got} at character ${position}` });
  };
  const take = (token: RegExp): string | undefined => {
    token.lastIndex = position;
    const match = token.exec(text)?.[0];
    if (match !== undefined) position += match.length;
    return match;
  };
  const skip = (character: string): boolean => {
    take(whitespace);
    if (text[position] !== character) return false;
    position++;
    take(whitespace);
    return true;
  };
  const expect = (character: string): void => {
    if (!skip(character)) fail(`the header must be JSON, with '${character}' here`);
  };
  const string = (): string => {
    if (text[position] !== '"') fail('the header must be JSON, with a string here');
    // Not one regular expression: those run out of stack on strings of megabytes.
    let end = position;
    let backslashes = 0;
    do {
      end = text.indexOf('"', end + 1);
      if (end < 0) fail('the header must be JSON, with a closing quote after this');
      for (backslashes = 0; text[end - 1 - backslashes] === '\\'; ) backslashes++;
    } while (backslashes % 2 === 1);
    let value = '';
    try {
      value = JSON.parse(text.slice(position, end + 1)) as string;
    } catch {
      fail('the header must be JSON, with a string here');
    }
    if (loneSurrogate.test(value)) fail('a string of the header must not hold a lone surrogate');
    position = end + 1;
    return value;
  };
  const object = (depth: number): ReadonlyMap<string, Json> => {
    const entries = new Map<string, Json>();
    if (skip('}')) return entries;
    do {
      const key = string();
      if (entries.has(key)) fail(`the header must name ${JSON.stringify(key)} once`);
      expect(':');
      entries.set(key, value(depth + 1));
    } while (skip(','));
    expect('}');
    return entries;
  };
  const array = (depth: number): readonly Json[] => {
    const items: Json[] = [];
    if (skip(']')) return items;
    do items.push(value(depth + 1));
    while (skip(','));
    expect(']');
    return items;
  };
  const value = (depth: number): Json => {
    if (depth > deepest) fail(`the header must not be nested deeper than ${deepest}`);
    if (skip('{')) return object(depth);
    if (skip('[')) return array(depth);
    if (text[position] === '"') return string();
    const number = take(numberToken);
    if (number !== undefined) return new JsonNumber(number);
    const constant = take(word);
    if (constant === undefined) return fail('the header must be JSON, with a value here');
    return constant === 'null' ? null : constant === 'true';
  };

  take(whitespace);
  const result = value(1);
  take(whitespace);
  if (position < text.length) fail('the header must end after its closing brace');
  return result;
}
