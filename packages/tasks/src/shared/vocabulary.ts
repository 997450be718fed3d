import { ArgumentError } from '@ostinato/core';
import type { Tokenizer } from '@ostinato/tokenizers';

/** @throws ArgumentError unless the tokenizer's ids are those of the model */
export function checkVocabulary(where: string, tokenizer: Tokenizer, vocabularySize: number): void {
  if (tokenizer.vocabularySize === vocabularySize) return;
  throw new ArgumentError({
    where,
    rule: "the tokenizer's vocabulary must be the model's",
    expected: String(vocabularySize),
    got: String(tokenizer.vocabularySize),
  });
}
