import { ArgumentError } from '@ostinato/core';
import type { Tokenizer } from '@ostinato/tokenizers';

/** Words, and the tag of each. */
export interface TaggedSentence {
  readonly words: readonly string[];
  readonly tags: readonly string[];
}

/** A sentence as tokens. */
export interface EncodedWords {
  /** int32 [tokens] */
  readonly ids: Int32Array;
  /** int32 [words]: the first token of each word, where its tag is read. */
  readonly firsts: Int32Array;
}

/** The tags that occur, in alphabetical order: what a model's `labels` can be. */
export function tagsOf(sentences: readonly TaggedSentence[]): string[] {
  return [...new Set(sentences.flatMap(({ tags }) => tags))].sort();
}

/**
 * Tokens of words. Each word is read by itself, and may be one token or several; the first one bears its tag (Devlin et al. 2019,
 * arXiv:1810.04805, section 5.3).
 *
 * @throws ArgumentError naming a word that has no token
 */
export function encodeWords(where: string, tokenizer: Tokenizer, words: readonly string[]): EncodedWords {
  const firsts = new Int32Array(words.length);
  const ids: number[] = [];
  for (const [i, word] of words.entries()) {
    const pieces = tokenizer.encode(word);
    if (pieces.length === 0) {
      throw new ArgumentError({ where, rule: `word ${i} must have a token`, got: JSON.stringify(word) });
    }
    firsts[i] = ids.length;
    ids.push(...pieces);
  }
  return { ids: Int32Array.from(ids), firsts };
}

/** Sentences as tokens, and the tag of every token as number: −1 where there is none to predict. */
export interface EncodedSentences {
  readonly rows: readonly Int32Array[];
  readonly firsts: readonly Int32Array[];
  readonly classes: readonly Int32Array[];
}

/**
 * Tokens and tags of sentences.
 *
 * @throws ArgumentError naming the first sentence with more tags than words, no word, or a tag that the model does not have
 */
export function encodeSentences(
  where: string,
  sentences: readonly TaggedSentence[],
  { tokenizer, labels }: { readonly tokenizer: Tokenizer; readonly labels: readonly string[] },
): EncodedSentences {
  const places = new Map(labels.map((label, i) => [label, i]));
  const encoded = sentences.map(({ words, tags }, i) => {
    if (words.length === 0 || words.length !== tags.length) {
      const got = `${words.length} words and ${tags.length} tags`;
      throw new ArgumentError({ where, rule: `sentence ${i} must have words, and a tag for each`, got });
    }
    const { ids, firsts } = encodeWords(where, tokenizer, words);
    const classes = new Int32Array(ids.length).fill(-1);
    for (const [word, tag] of tags.entries()) {
      const place = places.get(tag);
      if (place === undefined) {
        throw new ArgumentError({
          where,
          rule: `sentence ${i} must have the model's tags`,
          expected: labels.join(' | '),
          got: `${JSON.stringify(tag)} at word ${word}`,
        });
      }
      classes[firsts[word]!] = place;
    }
    return { ids, firsts, classes };
  });
  return {
    rows: encoded.map(({ ids }) => ids),
    firsts: encoded.map(({ firsts }) => firsts),
    classes: encoded.map(({ classes }) => classes),
  };
}
