import type { Tokenizer } from '@ostinato/tokenizers';
import { badInput } from './failure.ts';

/** A character of a text that is not in a tokenizer's vocabulary, and its place, counted from 1. */
interface Foreign {
  readonly character: string;
  readonly line: number;
  readonly column: number;
}

/** The first character outside the vocabulary; undefined when there is none, or when the tokenizer has an unknown token. */
function firstForeign(tokenizer: Tokenizer, text: string): Foreign | undefined {
  if (tokenizer.type !== 'character' || tokenizer.unknownId !== undefined) return undefined;
  let [line, column] = [1, 1];
  for (const character of text) {
    if (tokenizer.tokenToId(character) === undefined) return { character, line, column };
    if (character === '\n') [line, column] = [line + 1, 1];
    else column++;
  }
  return undefined;
}

/** Whether the tokenizer can read every character of a text. */
export function isReadable(tokenizer: Tokenizer, text: string): boolean {
  return firstForeign(tokenizer, text) === undefined;
}

/** Throws unless a model knows every character of a text; the message names the option, the character and its place. */
export function checkCharacters(option: string, tokenizer: Tokenizer, text: string): void {
  const foreign = firstForeign(tokenizer, text);
  if (foreign === undefined) return;
  const { character, line, column } = foreign;
  const codePoint = character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0');
  throw badInput(
    option,
    'every character must be in the vocabulary of the model',
    `${JSON.stringify(character)} (U+${codePoint}) at line ${line}, column ${column}`,
    'Replace it, or train a model on text that has it.',
  );
}
