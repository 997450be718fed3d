import type { Normalization } from './tokenizer.ts';
import { normalize } from './vocabulary-tokenizer.ts';

/*
 * The pieces of a subword tokenizer: text → normalized text → pieces that no token crosses → bytes as characters → tokens of a
 * model. Each is a plain function; a tokenizer puts them together and saves their options.
 */

/** What happens to a text before it is split. */
export interface NormalizerOptions {
  /** Default `'none'`. */
  readonly normalization?: Normalization | undefined;
  /** Lower case (Unicode, no language's own rules). Default false. */
  readonly lowercase?: boolean | undefined;
}

/** Applies a normalizer. */
export function normalizeText(text: string, { normalization = 'none', lowercase = false }: NormalizerOptions): string {
  const normalized = normalize(text, normalization);
  return lowercase ? normalized.toLowerCase() : normalized;
}

/**
 * Where no token may cross: `words` as GPT-2 does, words, numbers, punctuation and white space apart, a word with the space before
 * it · `whitespace` only between words, so that punctuation may grow onto them.
 */
export type PreTokenizer = 'words' | 'whitespace';

/** Every `PreTokenizer`. */
export const preTokenizers: readonly PreTokenizer[] = ['words', 'whitespace'];

const patterns: Readonly<Record<PreTokenizer, RegExp>> = {
  // Radford et al. 2019, encoder.py of GPT-2.
  words: /'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu,
  whitespace: / ?\S+|\s+(?!\S)|\s+/gu,
};

/** The pieces of a text; joined they are the text. */
export function splitPieces(text: string, preTokenizer: PreTokenizer): string[] {
  return text.match(patterns[preTokenizer]) ?? [];
}

/*
 * Each byte as a character that can be seen: printable Latin-1 as itself, the 68 others from U+0100 on, as GPT-2 does. So tokens
 * are strings in files and messages, and no token holds a space: ` the` is `Ġthe`.
 */
const shown: readonly string[] = /* @__PURE__ */ byteCharacters();
const byteOf: ReadonlyMap<string, number> = /* @__PURE__ */ new Map(shown.map((character, byte) => [character, byte]));

function byteCharacters(): string[] {
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => {
    const isPrintable = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
    return String.fromCharCode(isPrintable ? byte : next++);
  });
}

/** The 256 characters that stand for bytes, in the order of the bytes. */
export const byteAlphabet: readonly string[] = shown;

/** The UTF-8 of a text, a character for each byte. A lone surrogate becomes U+FFFD. */
export function showBytes(text: string): string[] {
  return Array.from(new TextEncoder().encode(text), byte => shown[byte]!);
}

/**
 * The text that such characters stand for. Bytes that are no UTF-8 become U+FFFD; a character whose end is missing is left out, so
 * that more bytes only ever add to the text.
 */
export function readBytes(characters: string): string {
  const bytes = Uint8Array.from(characters, character => byteOf.get(character)!);
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes, { stream: true });
}
