import { ArgumentError, checkNumber, type Initializer, Rng, ShapeError, zeros } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';
import { vectorLines } from './vectors-lines.ts';

/** Options of `readVectors`. */
export interface ReadVectorsOptions {
  /** Every token, in the order of its id: `tokenizer.vocabulary`. */
  readonly vocabulary: readonly string[];
  /** E. Default: what the header says, or the first line has. Needed when the first word has spaces in it. */
  readonly size?: number | undefined;
  /** Whether a token that is not in the file takes the vector of its lower case. Default false. */
  readonly ignoreCase?: boolean | undefined;
  /** Reads no more than so many vectors; files are mostly sorted by frequency. Default: all. */
  readonly maximumWords?: number | undefined;
  /**
   * Of tokens that are not in the file. Default zeros: among them is the unknown token, which a training that knows every word never
   * meets, and a large random vector would say something about every new text.
   */
  readonly initializer?: Initializer | undefined;
  /** Where an `initializer` that draws gets its numbers. Default `new Rng(0)`. */
  readonly rng?: Rng | undefined;
  /** Stops between lines: the rejection is the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** Vectors for a vocabulary. */
export interface PretrainedVectors {
  /** E. */
  readonly size: number;
  /** float32 [vocabulary, size], row-major. */
  readonly table: Float32Array;
  /** How many tokens were found. */
  readonly found: number;
  /** Tokens that were not, in the order of the ids. */
  readonly missing: readonly string[];
  /** The table as first value: `new Embedding({ vocabularySize, embeddingSize: size, initializer })`. */
  readonly initializer: Initializer;
}

/**
 * Reads pretrained vectors in the text format of GloVe (a word and its numbers a line) and of fastText and word2vec (the same,
 * below a header `count size`), and keeps those of a vocabulary. The text may arrive in chunks, as `readTextStream` of
 * `@ostinato/data/node` yields them: only the vectors that are kept stay in memory. Where a word comes twice, its first vector counts.
 *
 * Pennington et al. 2014, "GloVe", EMNLP; Bojanowski et al. 2017, arXiv:1607.04606.
 *
 * @throws FormatError naming the line where the text is not in this format, or has fewer vectors than its header says
 * @throws ArgumentError when the vocabulary is empty or has a token twice
 */
export async function readVectors(
  chunks: AsyncIterable<string> | Iterable<string>,
  {
    vocabulary,
    size: asked,
    ignoreCase = false,
    maximumWords,
    initializer = zeros,
    rng = new Rng(0),
    signal,
  }: ReadVectorsOptions,
): Promise<PretrainedVectors> {
  const where = 'readVectors';
  if (asked !== undefined) checkNumber(where, 'size', asked, { integer: true, min: 1 });
  if (maximumWords !== undefined) checkNumber(where, 'maximumWords', maximumWords, { integer: true, min: 1 });
  const ids = new Map(vocabulary.map((token, id) => [token, id]));
  if (ids.size === 0 || ids.size < vocabulary.length) {
    const rule = 'the vocabulary must have tokens, each once';
    throw new ArgumentError({ where, rule, got: ids.size === 0 ? 'none' : `${vocabulary.length - ids.size} twice` });
  }
  const folded = ignoreCase ? foldedIds(ids) : new Map<string, number[]>();
  /** 0: not found; 1: by its lower case; 2: itself. */
  const state = new Uint8Array(vocabulary.length);
  let table = new Float32Array(0);
  let size = 0;
  for await (const line of vectorLines(chunks, { size: asked, maximumWords: maximumWords ?? Infinity })) {
    signal?.throwIfAborted();
    if (size === 0) {
      size = line.size;
      table = new Float32Array(vocabulary.length * size);
    }
    const exact = ids.get(line.word);
    if (exact !== undefined && state[exact] !== 2) {
      line.read(table, exact * size);
      state[exact] = 2;
    }
    for (const id of folded.get(line.word) ?? []) {
      if (state[id] !== 0) continue;
      line.read(table, id * size);
      state[id] = 1;
    }
  }
  const missing = [...vocabulary.keys()].filter(id => state[id] === 0);
  const found = vocabulary.length - missing.length;
  const drawn = tf.tidy(() => initializer([missing.length, size], rng.split('missing')).dataSync());
  for (const [row, id] of missing.entries()) table.set(drawn.subarray(row * size, (row + 1) * size), id * size);
  return {
    size,
    table,
    found,
    missing: missing.map(id => vocabulary[id]!),
    initializer: shape => {
      if (shape.length === 2 && shape[0] === vocabulary.length && shape[1] === size) {
        return tf.tensor2d(table.slice(), [vocabulary.length, size]);
      }
      throw new ShapeError({
        where,
        rule: 'the embedding must have the size of the vectors',
        expected: `[${vocabulary.length}, ${size}]`,
        got: `[${shape.join(', ')}]`,
      });
    },
  };
}

/** Tokens whose lower case is another text, by that text. */
function foldedIds(ids: ReadonlyMap<string, number>): Map<string, number[]> {
  const folded = new Map<string, number[]>();
  for (const [token, id] of ids) {
    const lower = token.toLowerCase();
    if (lower !== token) folded.set(lower, [...(folded.get(lower) ?? []), id]);
  }
  return folded;
}
