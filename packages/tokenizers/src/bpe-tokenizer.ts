import { type BpeDropout, BpeModel } from './bpe-model.ts';
import { learnMerges } from './bpe-training.ts';
import { checkChoice, checkInteger, show, TokenizerError } from './errors.ts';
import { checkFields, readBoolean, readHeader, readSpecialTokens, readVocabulary } from './json.ts';
import {
  byteAlphabet,
  type NormalizerOptions,
  normalizeText,
  type PreTokenizer,
  preTokenizers,
  readBytes,
  showBytes,
  splitPieces,
} from './pipeline.ts';
import type { EncodeOptions, Normalization, TokenizerJson } from './tokenizer.ts';
import { listSpecialTokens, type SpecialTokens, Vocabulary } from './vocabulary.ts';
import {
  countTokens,
  countTokensAsync,
  type Texts,
  type Visitor,
  VocabularyTokenizer,
} from './vocabulary-tokenizer.ts';

/** What happens to a text before the merges. */
interface Splitting extends NormalizerOptions {
  /** Default `'words'`. */
  readonly preTokenizer?: PreTokenizer | undefined;
  /** Put a space before every text, so that its first word is the token that it is elsewhere; `decode` takes it off. Empty text stays empty. Default true. */
  readonly addPrefixSpace?: boolean | undefined;
}

/** Options of `new BpeTokenizer`. */
export interface BpeTokenizerOptions extends Splitting {
  /** Pairs of tokens, in the order in which they were learned. */
  readonly merges: readonly (readonly [string, string])[];
  /** Every token in the order of the ids. Default: special tokens, the 256 bytes, the results of the merges. */
  readonly vocabulary?: readonly string[] | undefined;
  /** Default: none. */
  readonly specialTokens?: SpecialTokens | undefined;
}

/** Options of `BpeTokenizer.train`. */
export interface BpeTrainingOptions extends Splitting {
  /** Most tokens, special ones and the 256 bytes included. */
  readonly maximumSize: number;
  /** A rarer pair is not merged. Default 2. */
  readonly minimumFrequency?: number | undefined;
  /** Default: none. */
  readonly specialTokens?: SpecialTokens | undefined;
}

/** Options of `BpeTokenizer.encode`. */
export interface BpeEncodeOptions extends EncodeOptions {
  /** BPE-dropout, for training: the same text in other tokens each time. Default: none. */
  readonly dropout?: BpeDropout | undefined;
}

/** A saved `BpeTokenizer`. */
export interface BpeTokenizerJson extends TokenizerJson {
  readonly type: 'bpe';
  readonly normalization: Normalization;
  readonly lowercase: boolean;
  readonly preTokenizer: PreTokenizer;
  readonly addPrefixSpace: boolean;
  readonly specialTokens: SpecialTokens;
  /** Token i has id i. */
  readonly vocabulary: readonly string[];
  /** `left right` each. */
  readonly merges: readonly string[];
}

const name = 'BpeTokenizer';

type Complete = { readonly [Name in keyof Splitting]-?: NonNullable<Splitting[Name]> };

function complete(options: Splitting): Complete {
  const { normalization = 'none', lowercase = false, preTokenizer = 'words', addPrefixSpace = true } = options;
  checkChoice(name, 'preTokenizer', preTokenizer, preTokenizers);
  return { normalization, lowercase, preTokenizer, addPrefixSpace };
}

function piecesOf(text: string, splitting: Complete): string[] {
  const normalized = normalizeText(text, splitting);
  if (normalized === '') return [];
  return splitPieces(splitting.addPrefixSpace ? ` ${normalized}` : normalized, splitting.preTokenizer);
}

/**
 * Byte-level byte-pair encoding: words are split into their UTF-8 bytes, of which the most frequent neighbours are merged into
 * tokens. Every text can be encoded: what was not in the training texts comes as bytes, so there is no unknown token (a
 * `specialTokens.unknown` is kept for models that ask for one, and never made). `decode` gives back the normalized text exactly,
 * lone surrogates apart, which become U+FFFD; so do ids of a model that are no UTF-8.
 *
 * Special tokens are never found in text: `</s>` in it is four characters. Models see only those that `addBeginning` and `addEnd` put.
 *
 * Ids: special tokens, the 256 bytes, merged tokens in the order in which they were learned. Tokens are written as GPT-2 does:
 * `Ġthe` is ` the`.
 *
 * For two languages with one vocabulary train on the texts of both. Sennrich et al. 2016, arXiv:1508.07909; Radford et al. 2019
 * (bytes); Provilkov et al. 2020, arXiv:1910.13267 (dropout).
 */
export class BpeTokenizer extends VocabularyTokenizer {
  readonly type = 'bpe' as const;
  /** What happens to a text before the merges. */
  readonly splitting: Complete;
  readonly merges: readonly (readonly [string, string])[];
  readonly #model: BpeModel;
  readonly #special: ReadonlySet<string>;

  /** @throws TokenizerError when a byte, or a part or the result of a merge, is not in the vocabulary, or a token occurs twice */
  constructor({ merges, vocabulary, specialTokens = {}, ...options }: BpeTokenizerOptions) {
    const splitting = complete(options);
    const made = merges.map(([left, right]) => left + right);
    const tokens = vocabulary ?? [...listSpecialTokens(specialTokens), ...new Set([...byteAlphabet, ...made])];
    const known = new Set(tokens);
    const lost = [...byteAlphabet, ...merges.flat(), ...made].find(token => !known.has(token));
    if (lost !== undefined) {
      throw new TokenizerError({
        where: name,
        rule: 'the vocabulary must hold every byte and merge',
        got: `no ${show(lost)}`,
      });
    }
    super(name, new Vocabulary(name, tokens, specialTokens), splitting.normalization);
    this.splitting = splitting;
    this.merges = merges;
    this.#model = new BpeModel(merges);
    this.#special = new Set(listSpecialTokens(specialTokens));
  }

  /**
   * Learns merges from texts. The result depends on the texts alone, not on their order.
   *
   * @throws TokenizerError when the texts are empty or `maximumSize` leaves no room beside special tokens and bytes
   */
  static train(texts: Texts, options: BpeTrainingOptions): BpeTokenizer {
    return BpeTokenizer.#fromCounts(countTokens(texts, counted(options)), options);
  }

  /**
   * Learns merges from texts that arrive one after another; only counts of words stay in memory. Each is a whole text: give it
   * lines or documents, not the chunks of a file.
   *
   * @throws TokenizerError as `train` does
   */
  static async trainAsync(texts: AsyncIterable<string>, options: BpeTrainingOptions): Promise<BpeTokenizer> {
    return BpeTokenizer.#fromCounts(await countTokensAsync(texts, counted(options)), options);
  }

  static #fromCounts(counts: ReadonlyMap<string, number>, options: BpeTrainingOptions): BpeTokenizer {
    const where = `${name}.train`;
    const { maximumSize, minimumFrequency = 2, specialTokens = {}, ...splitting } = options;
    checkInteger(where, 'minimumFrequency', minimumFrequency, { minimum: 1 });
    const reserved = new Set(listSpecialTokens(specialTokens));
    checkInteger(where, 'maximumSize', maximumSize, { minimum: 256 + reserved.size });
    if (counts.size === 0) throw new TokenizerError({ where, rule: 'the texts must hold text', got: 'none' });
    const words = Array.from(counts, ([piece, count]) => [showBytes(piece), count] as const);
    const size = maximumSize - reserved.size;
    const { merges } = learnMerges(words, { alphabet: byteAlphabet, size, minimumFrequency, reserved });
    return new BpeTokenizer({ merges, specialTokens, ...splitting });
  }

  /**
   * The tokenizer that `toJSON` described.
   *
   * @throws TokenizerError naming the first field that is wrong, missing or unknown
   */
  static fromJSON(value: unknown): BpeTokenizer {
    const where = `${name}.fromJSON`;
    const fields = readHeader(where, value, 'bpe');
    const flags = ['lowercase', 'addPrefixSpace'] as const;
    checkFields(where, fields, [...flags, 'normalization', 'preTokenizer', 'specialTokens', 'vocabulary', 'merges']);
    const [lowercase, addPrefixSpace] = flags.map(flag => readBoolean(where, flag, fields[flag]));
    const specialTokens = readSpecialTokens(where, fields['specialTokens']);
    return new BpeTokenizer({
      vocabulary: readVocabulary(where, fields['vocabulary'], specialTokens),
      merges: readMerges(where, fields['merges']),
      specialTokens,
      lowercase: lowercase!,
      addPrefixSpace: addPrefixSpace!,
      normalization: fields['normalization'] as Normalization,
      preTokenizer: fields['preTokenizer'] as PreTokenizer,
    });
  }

  toJSON(): BpeTokenizerJson {
    const { type, splitting, specialTokens, vocabulary } = this;
    const merges = this.merges.map(([left, right]) => `${left} ${right}`);
    return { format: 'ostinato.tokenizer', version: 1, type, ...splitting, specialTokens, vocabulary, merges };
  }

  /** @throws TokenizerError when the probability of dropout is not in 0 … 1 */
  override encode(text: string, options: BpeEncodeOptions = {}): Int32Array {
    const probability = options.dropout?.probability ?? 0;
    if (!(probability >= 0 && probability <= 1)) {
      const rule = 'dropout.probability must be a number in 0 … 1';
      throw new TokenizerError({ where: `${name}.encode`, rule, got: show(probability) });
    }
    return super.encode(text, options);
  }

  protected override visit(text: string, visitor: Visitor, { dropout }: BpeEncodeOptions = {}): void {
    for (const piece of piecesOf(text, this.splitting)) {
      for (const token of this.#model.tokens(piece, dropout)) visitor(token, 0);
    }
  }

  protected override join(tokens: readonly string[]): string {
    let [text, bytes] = ['', ''];
    for (const token of tokens) {
      if (this.#special.has(token)) {
        text += readBytes(bytes) + token;
        bytes = '';
      } else bytes += token;
    }
    text += readBytes(bytes);
    return this.splitting.addPrefixSpace && tokens[0]?.startsWith(prefixSpace) ? text.slice(1) : text;
  }

  protected override isSkipped(): boolean {
    return true;
  }

  protected override missing(token: string): TokenizerError {
    return new TokenizerError({
      where: `${name}.encode`,
      rule: 'every token must be in the vocabulary',
      got: show(token),
    });
  }
}

/** The character that stands for a space. */
const prefixSpace = 'Ġ';

function counted(options: Splitting): (text: string, visitor: Visitor) => void {
  const splitting = complete(options);
  return (text, visitor) => {
    for (const piece of piecesOf(text, splitting)) visitor(piece, 0);
  };
}

function readMerges(where: string, value: unknown): [string, string][] {
  if (!Array.isArray(value)) throw new TokenizerError({ where, rule: 'merges must be a list', got: show(value) });
  return value.map((merge: unknown, i) => {
    const parts = typeof merge === 'string' ? merge.split(' ') : [];
    if (parts.length === 2 && parts[0] !== '' && parts[1] !== '') return parts as [string, string];
    throw new TokenizerError({ where, rule: `merges[${i}] must be two tokens with a space between`, got: show(merge) });
  });
}
