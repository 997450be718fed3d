import { ArgumentError, checkChoice, checkNumber } from '@ostinato/core';
import { BpeTokenizer, CharacterTokenizer, type Tokenizer, WordTokenizer } from '@ostinato/tokenizers';

/** A sentence and its translation. */
export interface SentencePair {
  readonly source: string;
  readonly target: string;
}

/** The tokenizers of both languages; with a joint vocabulary they are the same object. */
export interface TranslationTokenizers {
  readonly source: Tokenizer;
  readonly target: Tokenizer;
}

/** The kinds of tokenizers that `trainTokenizers` makes. */
export const tokenizerNames = ['bpe', 'word', 'character'] as const;

/** Options of `trainTokenizers`. */
export interface TrainTokenizersOptions {
  readonly pairs: readonly SentencePair[];
  /** Default `'bpe'`: byte pairs, which know every word. */
  readonly type?: (typeof tokenizerNames)[number] | undefined;
  /** Most tokens of a vocabulary, special ones included. Default 8000; characters are all taken. */
  readonly vocabularySize?: number | undefined;
  /** Whether both languages share one vocabulary. Default true. */
  readonly joint?: boolean | undefined;
  /** Whether upper and lower case are the same: translations are lower case then. Characters keep theirs. Default false. */
  readonly lowercase?: boolean | undefined;
}

/** Roles of the special tokens: a decoder begins with one and ends with another. */
const specialTokens = { padding: '<pad>', unknown: '<unk>', beginning: '<s>', end: '</s>' } as const;

/**
 * Tokenizers with all special tokens that translation needs, from the sentences to train on.
 *
 * @throws ArgumentError when there is no pair or an option is out of range; TokenizerError when a vocabulary is too small
 */
export function trainTokenizers({
  pairs,
  type = 'bpe',
  vocabularySize = 8000,
  joint = true,
  lowercase = false,
}: TrainTokenizersOptions): TranslationTokenizers {
  const where = 'trainTokenizers';
  checkChoice(where, 'type', type, tokenizerNames);
  checkNumber(where, 'vocabularySize', vocabularySize, { integer: true, min: 1 });
  if (pairs.length === 0) throw new ArgumentError({ where, rule: 'there must be at least one pair', got: 'none' });
  const train = (texts: readonly string[]): Tokenizer => {
    const shared = { specialTokens, lowercase };
    if (type === 'bpe') return BpeTokenizer.train(texts, { ...shared, maximumSize: vocabularySize });
    if (type === 'character') return CharacterTokenizer.train(texts, { specialTokens });
    return WordTokenizer.train(texts, { ...shared, maximumSize: vocabularySize, separatePunctuation: true });
  };
  const [sources, targets] = [pairs.map(({ source }) => source), pairs.map(({ target }) => target)];
  if (!joint) return { source: train(sources), target: train(targets) };
  const both = train([...sources, ...targets]);
  return { source: both, target: both };
}

/** The ids of a target's beginning and end. @throws ArgumentError when the tokenizer lacks one, or the vocabularies are not the model's */
export function checkTokenizers(
  where: string,
  { source, target }: TranslationTokenizers,
  config: { readonly vocabularySize: number; readonly targetVocabularySize: number },
): { readonly beginning: number; readonly end: number } {
  const sizes = [
    ['source', source.vocabularySize, config.vocabularySize],
    ['target', target.vocabularySize, config.targetVocabularySize],
  ] as const;
  for (const [side, got, expected] of sizes) {
    if (got === expected) continue;
    const rule = `the vocabulary of the ${side} tokenizer must be the model's`;
    throw new ArgumentError({ where, rule, expected: String(expected), got: String(got) });
  }
  const { beginningId: beginning, endId: end } = target;
  if (beginning === undefined || end === undefined) {
    throw new ArgumentError({
      where,
      rule: 'the target tokenizer must have tokens for the beginning and the end',
      got: beginning === undefined ? 'no beginning token' : 'no end token',
      advice: "Give it specialTokens, as trainTokenizers does: { beginning: '<s>', end: '</s>' }.",
    });
  }
  return { beginning, end };
}

/** The ids of a source: with an end token where the tokenizer has one, else of a blank text one unknown token at least. */
export function encodeSource(tokenizer: Tokenizer, text: string): Int32Array {
  if (tokenizer.endId !== undefined) return tokenizer.encode(text, { addEnd: true });
  const ids = tokenizer.encode(text);
  return ids.length > 0 ? ids : Int32Array.of(tokenizer.unknownId ?? tokenizer.paddingId ?? 0);
}
