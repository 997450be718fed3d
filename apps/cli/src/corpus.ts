import { concatenateDocuments, splitDocuments, splitTokens } from '@ostinato/data';
import type { Tokenizer } from '@ostinato/tokenizers';

/** Token ids to train on and to hold out. */
export interface Corpus {
  readonly training: Int32Array;
  /** Where each document begins in `training`. */
  readonly documentStarts: Int32Array;
  /** Empty when nothing is held out. */
  readonly validation: Int32Array;
  /** Whole documents in `validation`; 0 when it is the end of the text. */
  readonly heldOutDocuments: number;
  readonly charactersPerToken: number;
  /** Share of unknown tokens in `training` and `validation`; undefined when the tokenizer has none. */
  readonly unknownShare: number | undefined;
}

/** Options of `tuneCorpus` and `textCorpus`. */
export interface CorpusOptions {
  readonly text: string;
  readonly tokenizer: Tokenizer;
  /** Share to hold out, 0 ≤ share < 1. */
  readonly validation: number;
  readonly seed: number;
}

/** With fewer tunes than this the end of the text is held out instead of whole tunes. */
const fewestTunes = 10;

/** The tunes of a collection as pieces of the text, blank lines included: joined they are the text. */
export function tunePieces(text: string): string[] {
  return text.split(/(?<=\n[ \t]*\n)(?=X:)/);
}

/** A collection of tunes: whole tunes, drawn at random, are held out, since collections are sorted by kind. */
export function tuneCorpus({ text, tokenizer, validation, seed }: CorpusOptions): Corpus {
  const pieces = tunePieces(text);
  if (pieces.length < fewestTunes) return textCorpus({ text, tokenizer, validation, seed });
  const parts = validation === 0 ? { train: pieces, validation: [] } : splitDocuments(pieces, { validation, seed });
  const { tokens, documentStarts } = concatenateDocuments(parts.train.map(piece => tokenizer.encode(piece)));
  const held = tokenizer.encode(parts.validation.join(''));
  return {
    training: tokens,
    documentStarts,
    validation: held,
    heldOutDocuments: parts.validation.length,
    charactersPerToken: text.length / (tokens.length + held.length),
    unknownShare: unknownShare(tokenizer, [tokens, held]),
  };
}

/** One long text: its end is held out. */
export function textCorpus({ text, tokenizer, validation }: CorpusOptions): Corpus {
  const ids = tokenizer.encode(text);
  const parts = validation === 0 ? { train: ids, validation: new Int32Array(0) } : splitTokens(ids, { validation });
  return {
    training: parts.train,
    documentStarts: Int32Array.of(0),
    validation: parts.validation,
    heldOutDocuments: 0,
    charactersPerToken: text.length / ids.length,
    unknownShare: unknownShare(tokenizer, [ids]),
  };
}

/** Share of the tokens that stand for what is not in the vocabulary; undefined when the tokenizer has no such token. */
export function unknownShare({ unknownId }: Tokenizer, parts: readonly Int32Array[]): number | undefined {
  if (unknownId === undefined) return undefined;
  let [unknown, total] = [0, 0];
  for (const ids of parts) {
    total += ids.length;
    for (const id of ids) if (id === unknownId) unknown++;
  }
  return unknown / total;
}
