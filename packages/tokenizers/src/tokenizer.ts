import type { SpecialTokens } from './vocabulary.ts';

/** What happens to a text before it is split: nothing, or Unicode normalization form C (`é` as one character). */
export type Normalization = 'none' | 'NFC';

/** Options of `Tokenizer.encode`. */
export interface EncodeOptions {
  /** Put the `beginning` token first. Default false. */
  readonly addBeginning?: boolean | undefined;
  /** Put the `end` token last. Default false. */
  readonly addEnd?: boolean | undefined;
}

/** Options of `Tokenizer.decode`. */
export interface DecodeOptions {
  /** Leave special tokens out of the text. Default false. */
  readonly skipSpecialTokens?: boolean | undefined;
}

/** Options of `Tokenizer.encodeBatch`. */
export interface BatchOptions extends EncodeOptions {
  /** Longest row, special tokens included. Default: no limit. */
  readonly maximumLength?: number | undefined;
  /** What a longer row loses: its end, its start, or nothing, because it is an error. Default `'end'`. */
  readonly truncation?: 'end' | 'start' | 'error' | undefined;
  /** Make every row `maximumLength` long, so that all batches have one shape. Default false: as long as the longest row. */
  readonly padToMaximum?: boolean | undefined;
  /** The id behind the end of shorter rows. Default: that of the `padding` token. */
  readonly paddingId?: number | undefined;
}

/** Rows of token ids, padded on the right. No tensor: `tf.tensor2d(ids, shape, 'int32')` makes one. */
export interface EncodedBatch {
  /** int32 [batch, time], row-major. */
  readonly ids: Int32Array;
  /** int32 [batch]: how many ids of each row are not padding. */
  readonly lengths: Int32Array;
  readonly shape: [batch: number, time: number];
}

/** What is saved of any tokenizer. `type` tells the classes apart; each adds fields of its own. */
export interface TokenizerJson {
  readonly format: 'ostinato.tokenizer';
  readonly version: 1;
  readonly type: string;
}

/**
 * Text to token ids and back. Ids are 0 … vocabularySize−1.
 *
 * Written for every kind of tokenizer: models and apps take this interface, never a class.
 */
export interface Tokenizer {
  /** Which kind it is, as in the saved file: `'character'`, `'word'`. */
  readonly type: string;
  readonly vocabularySize: number;
  /** The special tokens by role; `additional` ones have no role. */
  readonly specialTokens: SpecialTokens;
  /** Ids of the special tokens, undefined for those there are not. */
  readonly paddingId: number | undefined;
  readonly unknownId: number | undefined;
  readonly beginningId: number | undefined;
  readonly endId: number | undefined;

  /**
   * The ids of a text, int32 [time].
   *
   * @throws TokenizerError when a part of the text is not in the vocabulary and there is no unknown token
   */
  encode(text: string, options?: EncodeOptions): Int32Array;
  /**
   * Encodes texts as the rows of one array.
   *
   * @throws TokenizerError as `encode` does; when rows differ in length and there is no padding id; when a row is too long
   * and `truncation` is `'error'`
   */
  encodeBatch(texts: readonly string[], options?: BatchOptions): EncodedBatch;
  /**
   * The text of ids. Decoding more ids only ever appends to the text, so it can be shown as it grows.
   *
   * @throws TokenizerError naming an id that is not in 0 … vocabularySize−1, and its position
   */
  decode(ids: ArrayLike<number>, options?: DecodeOptions): string;
  tokenToId(token: string): number | undefined;
  idToToken(id: number): string | undefined;
  /** Everything that the tokenizer is, as plain JSON data for `tokenizerFromJson`; `JSON.stringify` calls it. */
  toJSON(): TokenizerJson;
  /** The text of a JSON file for `loadTokenizer`. */
  save(): string;
}
