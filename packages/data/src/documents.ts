import { ArgumentError, checkNumber, Rng } from '@ostinato/core';
import type { TokenArray } from './source.ts';

/** Options of `splitTokens`. */
export interface SplitOptions {
  /** Fraction for validation, 0 ≤ validation < 1. Default 0.1. */
  readonly validation?: number | undefined;
  /** Fraction for the test, 0 ≤ test < 1. Default 0. The rest is for training. */
  readonly test?: number | undefined;
}

/** Options of `splitDocuments`. */
export interface SplitDocumentsOptions extends SplitOptions {
  /** Which documents go where is drawn with this seed. Default: the first for training, the last for the test. */
  readonly seed?: number | undefined;
}

/** The three parts of a data set; a part that was not asked for is empty. */
export interface Split<Part> {
  readonly train: Part;
  readonly validation: Part;
  readonly test: Part;
}

/** Where validation and test begin: ⌊n(1−v−t)⌋ and ⌊n(1−t)⌋. */
function boundaries(
  where: string,
  count: number,
  what: string,
  { validation = 0.1, test = 0 }: SplitOptions,
): [number, number] {
  checkNumber(where, 'validation', validation, { min: 0, below: 1 });
  checkNumber(where, 'test', test, { min: 0, below: 1 });
  // Decimal fractions are not exact in binary: 1 − 0.9 is a little less than 0.1.
  const at = (fraction: number): number => Math.floor(count * fraction + 1e-9);
  const first = at(1 - validation - test);
  const second = test === 0 ? count : at(1 - test);
  const parts = { train: first, validation: second - first, test: count - second };
  const empty = (['train', 'validation', 'test'] as const).find(
    part => parts[part] < 1 && (part === 'train' || { validation, test }[part] > 0),
  );
  if (empty !== undefined) {
    throw new ArgumentError({
      where,
      rule: `every part must have at least one of the ${count} ${what}`,
      got: `none for ${empty} with validation ${validation} and test ${test}`,
    });
  }
  return [first, second];
}

/**
 * Cuts a text into contiguous parts: training first, then validation, then test.
 *
 * @returns views of `tokens`, no copies
 * @throws ArgumentError when a fraction is out of range or a part would be empty
 */
export function splitTokens<Tokens extends TokenArray>(tokens: Tokens, options: SplitOptions = {}): Split<Tokens> {
  const [first, second] = boundaries('splitTokens', tokens.length, 'tokens', options);
  return {
    train: tokens.subarray(0, first) as Tokens,
    validation: tokens.subarray(first, second) as Tokens,
    test: tokens.subarray(second) as Tokens,
  };
}

/**
 * Shares documents out, each whole: in their order, or drawn by a seed. Inside a part they keep their order.
 *
 * @throws ArgumentError when a fraction is out of range or a part would be empty
 */
export function splitDocuments<Item>(
  documents: readonly Item[],
  { seed, ...options }: SplitDocumentsOptions = {},
): Split<Item[]> {
  const [first, second] = boundaries('splitDocuments', documents.length, 'documents', options);
  const order =
    seed === undefined
      ? Uint32Array.from(documents, (_, i) => i)
      : new Rng(seed).split('split').permutation(documents.length);
  const part = (from: number, to: number): Item[] => Array.from(order.slice(from, to).sort(), i => documents[i]!);
  return { train: part(0, first), validation: part(first, second), test: part(second, documents.length) };
}

/** Documents as one text, for `ContiguousStreams`. */
export interface ConcatenatedDocuments {
  /** int32 [tokens]. */
  readonly tokens: Int32Array;
  /** int32 [documents]: where each begins. */
  readonly documentStarts: Int32Array;
}

/** Joins documents and notes where each begins. Empty documents leave no trace. */
export function concatenateDocuments(documents: readonly TokenArray[]): ConcatenatedDocuments {
  const used = documents.filter(document => document.length > 0);
  const tokens = new Int32Array(used.reduce((sum, document) => sum + document.length, 0));
  const documentStarts = new Int32Array(used.length);
  let start = 0;
  for (const [i, document] of used.entries()) {
    documentStarts[i] = start;
    tokens.set(document, start);
    start += document.length;
  }
  return { tokens, documentStarts };
}
