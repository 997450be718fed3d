import { show, TokenizerError } from './errors.ts';
import { checkFields, readHeader, readSpecialTokens, readVocabulary } from './json.ts';
import type { Normalization, TokenizerJson } from './tokenizer.ts';
import {
  chooseTokens,
  compareCodePoints,
  listSpecialTokens,
  type SpecialTokens,
  Vocabulary,
  type VocabularyOptions,
} from './vocabulary.ts';
import {
  countTokens,
  countTokensAsync,
  normalize,
  type Texts,
  type Visitor,
  VocabularyTokenizer,
} from './vocabulary-tokenizer.ts';

/** Options of `new CharacterTokenizer`. */
export interface CharacterTokenizerOptions {
  /** Every character in the order of the ids, each one code point. Special tokens that it lacks get the first ids. */
  readonly vocabulary: readonly string[];
  /** Default: none, so that a character outside the vocabulary is an error. */
  readonly specialTokens?: SpecialTokens | undefined;
  /** Default `'none'`. */
  readonly normalization?: Normalization | undefined;
}

/** Options of `CharacterTokenizer.train`. */
export interface CharacterTrainingOptions extends VocabularyOptions {
  /** Default: none. */
  readonly specialTokens?: SpecialTokens | undefined;
  /** Default `'none'`. */
  readonly normalization?: Normalization | undefined;
}

/** A saved `CharacterTokenizer`. */
export interface CharacterTokenizerJson extends TokenizerJson {
  readonly type: 'character';
  readonly normalization: Normalization;
  readonly specialTokens: SpecialTokens;
  /** Token i has id i. */
  readonly vocabulary: readonly string[];
}

const name = 'CharacterTokenizer';

function visitCharacters(text: string, normalization: Normalization, visitor: Visitor): void {
  let index = 0;
  for (const character of normalize(text, normalization)) {
    visitor(character, index);
    index += character.length;
  }
}

/**
 * One token per Unicode code point: `decode(encode(text))` is the text, to the last surrogate, when all its characters are
 * in the vocabulary (with normalization C: the normalized text).
 *
 * Ids: special tokens first (padding, unknown, beginning, end, additional), then characters by code point. Special tokens
 * are not looked for in texts: `<end>` in a text is five characters. (A special token of one character is that character.)
 */
export class CharacterTokenizer extends VocabularyTokenizer {
  readonly type = 'character' as const;

  /** @throws TokenizerError when a token is no single code point, occurs twice, or when there is none */
  constructor({ vocabulary, specialTokens = {}, normalization = 'none' }: CharacterTokenizerOptions) {
    const special = new Set(listSpecialTokens(specialTokens));
    const long = vocabulary.find(token => !special.has(token) && [...token].length > 1);
    if (long !== undefined) {
      throw new TokenizerError({ where: name, rule: 'a character must be one code point', got: show(long) });
    }
    super(name, new Vocabulary(name, vocabulary, specialTokens), normalization);
  }

  /**
   * Builds the vocabulary from texts.
   *
   * @throws TokenizerError when the texts are empty, or `maximumSize` leaves no room for characters
   */
  static train(texts: Texts, options: CharacterTrainingOptions = {}): CharacterTokenizer {
    const { normalization = 'none' } = options;
    const visit = (text: string, visitor: Visitor): void => visitCharacters(text, normalization, visitor);
    return CharacterTokenizer.#fromCounts(countTokens(texts, visit), options);
  }

  /**
   * Builds the vocabulary from texts that arrive one after another, such as the chunks of a file. (With normalization C
   * chunks should end at line breaks: a letter and its accent in two chunks are two characters.)
   *
   * @throws TokenizerError as `train` does
   */
  static async trainAsync(
    texts: AsyncIterable<string>,
    options: CharacterTrainingOptions = {},
  ): Promise<CharacterTokenizer> {
    const { normalization = 'none' } = options;
    const visit = (text: string, visitor: Visitor): void => visitCharacters(text, normalization, visitor);
    return CharacterTokenizer.#fromCounts(await countTokensAsync(texts, visit), options);
  }

  static #fromCounts(
    counts: ReadonlyMap<string, number>,
    { specialTokens = {}, normalization = 'none', ...limits }: CharacterTrainingOptions,
  ): CharacterTokenizer {
    const characters = chooseTokens(`${name}.train`, counts, specialTokens, limits).sort(compareCodePoints);
    return new CharacterTokenizer({
      vocabulary: [...listSpecialTokens(specialTokens), ...characters],
      specialTokens,
      normalization,
    });
  }

  /**
   * The tokenizer that `toJSON` described.
   *
   * @throws TokenizerError naming the first field that is wrong, missing or unknown
   */
  static fromJSON(value: unknown): CharacterTokenizer {
    const where = `${name}.fromJSON`;
    const fields = readHeader(where, value, 'character');
    checkFields(where, fields, ['normalization', 'specialTokens', 'vocabulary']);
    const specialTokens = readSpecialTokens(where, fields['specialTokens']);
    const vocabulary = readVocabulary(where, fields['vocabulary'], specialTokens);
    const normalization = fields['normalization'] as Normalization;
    return new CharacterTokenizer({ vocabulary, specialTokens, normalization });
  }

  toJSON(): CharacterTokenizerJson {
    const { type, normalization, specialTokens, vocabulary } = this;
    return { format: 'ostinato.tokenizer', version: 1, type, normalization, specialTokens, vocabulary };
  }

  protected override visit(text: string, visitor: Visitor): void {
    visitCharacters(text, this.normalization, visitor);
  }

  protected override join(tokens: readonly string[]): string {
    return tokens.join('');
  }

  protected override isSkipped(): boolean {
    return true;
  }

  protected override missing(character: string, index: number): TokenizerError {
    const codePoint = character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0');
    return new TokenizerError({
      where: `${name}.encode`,
      rule: 'every character must be in the vocabulary',
      got: `${show(character)} (U+${codePoint}) at index ${index}`,
      advice: 'Train on text that has it, or give the tokenizer specialTokens.unknown.',
    });
  }
}
