import { show, TokenizerError } from './errors.ts';
import { checkFields, readBoolean, readHeader, readSpecialTokens, readVocabulary } from './json.ts';
import type { Normalization, TokenizerJson } from './tokenizer.ts';
import {
  chooseTokens,
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

/** How a text is split into words. */
export interface SplittingOptions {
  /** Words in lower case (Unicode, no language's own rules); special tokens stay as they are. Default false. */
  readonly lowercase?: boolean | undefined;
  /** Punctuation and symbols as words of their own. Default false: words are what white space separates. */
  readonly separatePunctuation?: boolean | undefined;
  /** Every line break becomes the `end` token, as in the Penn Treebank. Default false: it is white space. */
  readonly endOfLine?: boolean | undefined;
  /** Default `'none'`. */
  readonly normalization?: Normalization | undefined;
}

/** How a tokenizer splits texts: every option, with its default filled in. */
export type Splitting = {
  readonly [Name in keyof SplittingOptions]-?: NonNullable<SplittingOptions[Name]>;
};

/** Options of `new WordTokenizer`. */
export interface WordTokenizerOptions extends SplittingOptions {
  /** Every word in the order of the ids. Special tokens that it lacks get the first ids. */
  readonly vocabulary: readonly string[];
  /** Default `{ unknown: '<unk>' }`, with `endOfLine` also `end: '<eos>'`. */
  readonly specialTokens?: SpecialTokens | undefined;
}

/** Options of `WordTokenizer.train`. */
export interface WordTrainingOptions extends SplittingOptions, VocabularyOptions {
  /** Default `{ unknown: '<unk>' }`, with `endOfLine` also `end: '<eos>'`. */
  readonly specialTokens?: SpecialTokens | undefined;
}

/** A saved `WordTokenizer`. */
export interface WordTokenizerJson extends TokenizerJson, Splitting {
  readonly type: 'word';
  readonly specialTokens: SpecialTokens;
  /** Token i has id i. */
  readonly vocabulary: readonly string[];
}

const name = 'WordTokenizer';

/**
 * One word, or one punctuation character or symbol. A word is a run of what is neither punctuation nor symbol, `_` included;
 * an apostrophe or hyphen between such runs joins them (`don't`, `well-known`), and so does a point or comma between digits
 * (`3.14`).
 */
const wordOrSymbol: RegExp =
  /(?:_|[^\p{P}\p{S}])+(?:(?:['’\-‐‑]|(?<=\p{N})[.,](?=\p{N}))(?:_|[^\p{P}\p{S}])+)*|[\p{P}\p{S}]/gu;

/** White space, and every line break as a piece of its own. */
const pieces: RegExp = /\r\n|\n|\r|\S+/gu;

function visitWords(text: string, splitting: Splitting, special: SpecialTokens, visitor: Visitor): void {
  const { lowercase, separatePunctuation, endOfLine, normalization } = splitting;
  const specialTokens = new Set(listSpecialTokens(special));
  const visit: Visitor = (word, index) => visitor(lowercase ? word.toLowerCase() : word, index);
  for (const { 0: piece, index } of normalize(text, normalization).matchAll(pieces)) {
    if (piece === '\n' || piece === '\r\n' || piece === '\r') {
      if (endOfLine) visitor(special.end!, index);
    } else if (specialTokens.has(piece)) visitor(piece, index);
    else if (separatePunctuation) {
      for (const part of piece.matchAll(wordOrSymbol)) visit(part[0], index + part.index);
    } else visit(piece, index);
  }
}

/** The options with their defaults, and the special tokens that these imply. */
function complete({
  lowercase = false,
  separatePunctuation = false,
  endOfLine = false,
  normalization = 'none',
  specialTokens = endOfLine ? { unknown: '<unk>', end: '<eos>' } : { unknown: '<unk>' },
}: SplittingOptions & { readonly specialTokens?: SpecialTokens | undefined }): {
  splitting: Splitting;
  specialTokens: SpecialTokens;
} {
  if (endOfLine && specialTokens.end === undefined) {
    throw new TokenizerError({ where: name, rule: 'endOfLine needs specialTokens.end', got: 'none' });
  }
  return { splitting: { lowercase, separatePunctuation, endOfLine, normalization }, specialTokens };
}

/**
 * One token per word. White space separates words; `separatePunctuation` also makes punctuation and symbols words of their
 * own (Unicode categories P and S; apostrophes and hyphens inside words, points and commas inside numbers stay). A special
 * token that stands between white space is that token: the `<unk>` of a prepared corpus.
 *
 * `decode` joins words with single spaces, and with `endOfLine` ends a line at each `end` token. It is not lossless: other
 * white space, and the lack of it around punctuation, is forgotten; rare words come back as `<unk>`.
 *
 * Ids: special tokens first (padding, unknown, beginning, end, additional), then words by falling frequency, equally frequent
 * ones by code point.
 */
export class WordTokenizer extends VocabularyTokenizer {
  readonly type = 'word' as const;
  /** How texts are split. */
  readonly splitting: Splitting;

  /** @throws TokenizerError when a token occurs twice or a word has white space, or when there is none */
  constructor({ vocabulary, ...options }: WordTokenizerOptions) {
    const { splitting, specialTokens } = complete(options);
    const special = new Set(listSpecialTokens(specialTokens));
    const spaced = vocabulary.find(token => !special.has(token) && /\s/u.test(token));
    if (spaced !== undefined) {
      throw new TokenizerError({ where: name, rule: 'a word must have no white space', got: show(spaced) });
    }
    super(name, new Vocabulary(name, vocabulary, specialTokens), splitting.normalization);
    this.splitting = splitting;
  }

  /**
   * Builds the vocabulary from texts.
   *
   * @throws TokenizerError when the texts hold no word, or `maximumSize` leaves no room for words
   */
  static train(texts: Texts, options: WordTrainingOptions = {}): WordTokenizer {
    const { splitting, specialTokens } = complete(options);
    const visit = (text: string, visitor: Visitor): void => visitWords(text, splitting, specialTokens, visitor);
    return WordTokenizer.#fromCounts(countTokens(texts, visit), options);
  }

  /**
   * Builds the vocabulary from texts that arrive one after another. Each is a whole text: give it lines or documents, not
   * the chunks of a file, which may end inside a word.
   *
   * @throws TokenizerError as `train` does
   */
  static async trainAsync(texts: AsyncIterable<string>, options: WordTrainingOptions = {}): Promise<WordTokenizer> {
    const { splitting, specialTokens } = complete(options);
    const visit = (text: string, visitor: Visitor): void => visitWords(text, splitting, specialTokens, visitor);
    return WordTokenizer.#fromCounts(await countTokensAsync(texts, visit), options);
  }

  static #fromCounts(counts: ReadonlyMap<string, number>, options: WordTrainingOptions): WordTokenizer {
    const { splitting, specialTokens } = complete(options);
    const words = chooseTokens(`${name}.train`, counts, specialTokens, options);
    return new WordTokenizer({
      vocabulary: [...listSpecialTokens(specialTokens), ...words],
      specialTokens,
      ...splitting,
    });
  }

  /**
   * The tokenizer that `toJSON` described.
   *
   * @throws TokenizerError naming the first field that is wrong, missing or unknown
   */
  static fromJSON(value: unknown): WordTokenizer {
    const where = `${name}.fromJSON`;
    const fields = readHeader(where, value, 'word');
    const flags = ['lowercase', 'separatePunctuation', 'endOfLine'] as const;
    checkFields(where, fields, [...flags, 'normalization', 'specialTokens', 'vocabulary']);
    const [lowercase, separatePunctuation, endOfLine] = flags.map(flag => readBoolean(where, flag, fields[flag]));
    const specialTokens = readSpecialTokens(where, fields['specialTokens']);
    return new WordTokenizer({
      vocabulary: readVocabulary(where, fields['vocabulary'], specialTokens),
      specialTokens,
      lowercase: lowercase!,
      separatePunctuation: separatePunctuation!,
      endOfLine: endOfLine!,
      normalization: fields['normalization'] as Normalization,
    });
  }

  toJSON(): WordTokenizerJson {
    const { type, splitting, specialTokens, vocabulary } = this;
    return { format: 'ostinato.tokenizer', version: 1, type, ...splitting, specialTokens, vocabulary };
  }

  protected override visit(text: string, visitor: Visitor): void {
    visitWords(text, this.splitting, this.specialTokens, visitor);
  }

  #isLineEnd(token: string): boolean {
    return this.splitting.endOfLine && token === this.specialTokens.end;
  }

  protected override join(tokens: readonly string[]): string {
    let text = '';
    for (const token of tokens) {
      if (this.#isLineEnd(token)) text += '\n';
      else text += text === '' || text.endsWith('\n') ? token : ` ${token}`;
    }
    return text;
  }

  protected override isSkipped(token: string): boolean {
    return !this.#isLineEnd(token);
  }

  protected override missing(word: string, index: number): TokenizerError {
    return new TokenizerError({
      where: `${name}.encode`,
      rule: 'every word must be in the vocabulary',
      got: `${show(word)} at index ${index}`,
      advice: 'Give the tokenizer specialTokens.unknown.',
    });
  }
}
