export type { BpeDropout } from './bpe-model.ts';
export {
  type BpeEncodeOptions,
  BpeTokenizer,
  type BpeTokenizerJson,
  type BpeTokenizerOptions,
  type BpeTrainingOptions,
} from './bpe-tokenizer.ts';
export {
  CharacterTokenizer,
  type CharacterTokenizerJson,
  type CharacterTokenizerOptions,
  type CharacterTrainingOptions,
} from './character-tokenizer.ts';
export { TokenizerError, type TokenizerErrorParts } from './errors.ts';
export { loadTokenizer, tokenizerFromJson } from './load.ts';
export type { NormalizerOptions, PreTokenizer } from './pipeline.ts';
export type {
  BatchOptions,
  DecodeOptions,
  EncodedBatch,
  EncodeOptions,
  Normalization,
  Tokenizer,
  TokenizerJson,
} from './tokenizer.ts';
export type { SpecialTokens, VocabularyOptions } from './vocabulary.ts';
export type { Texts } from './vocabulary-tokenizer.ts';
export {
  type Splitting,
  type SplittingOptions,
  WordTokenizer,
  type WordTokenizerJson,
  type WordTokenizerOptions,
  type WordTrainingOptions,
} from './word-tokenizer.ts';
