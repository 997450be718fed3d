import { concatenateDocuments, splitDocuments, splitTokens } from '@ostinato/data';
import type { Tokenizer } from '@ostinato/tokenizers';

/** Token ids to train on and to hold out. */
export interface Corpus {
  readonly training: Int32Array;
  /** Where each document begins in `training`. */
  readonly documentStarts: Int32Array;
  /** Empty when nothing is held out. */
  readonly validation: Int32Array;
  readonly charactersPerToken: number;
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
  const charactersPerToken = text.length / (tokens.length + held.length);
  return { training: tokens, documentStarts, validation: held, charactersPerToken };
}

/** One long text: its end is held out. */
export function textCorpus({ text, tokenizer, validation }: CorpusOptions): Corpus {
  const ids = tokenizer.encode(text);
  const parts = validation === 0 ? { train: ids, validation: new Int32Array(0) } : splitTokens(ids, { validation });
  const charactersPerToken = text.length / ids.length;
  return { training: parts.train, documentStarts: Int32Array.of(0), validation: parts.validation, charactersPerToken };
}
