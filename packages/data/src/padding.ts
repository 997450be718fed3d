import { ArgumentError, checkChoice, checkNumber } from '@ostinato/core';

/** Options of `padSequences`. */
export interface PadOptions {
  /** Longest row. Default: no limit. */
  readonly maximumLength?: number | undefined;
  /** What a longer row loses: its end, its start, or nothing, because it is an error. Default `'end'`. */
  readonly truncation?: 'end' | 'start' | 'error' | undefined;
  /** Make every row `maximumLength` long, so that all batches have one shape. Default false: as long as the longest row. */
  readonly padToMaximum?: boolean | undefined;
  /** The id behind the end of shorter rows. Default 0: the lengths say what counts. */
  readonly paddingId?: number | undefined;
}

/** Rows of ids, padded on the right. `tf.tensor2d(ids, shape, 'int32')` makes a tensor. */
export interface PaddedBatch {
  /** int32 [batch, time], row-major. */
  readonly ids: Int32Array;
  /** int32 [batch]: how many ids of each row are not padding. */
  readonly lengths: Int32Array;
  readonly shape: [batch: number, time: number];
}

/**
 * Sequences of different lengths as the rows of one array.
 *
 * @throws ArgumentError when there is no sequence, an option is out of range, or with truncation `'error'` a row is too long
 */
export function padSequences(
  sequences: readonly ArrayLike<number>[],
  { maximumLength, truncation = 'end', padToMaximum = false, paddingId = 0 }: PadOptions = {},
): PaddedBatch {
  const where = 'padSequences';
  checkChoice(where, 'truncation', truncation, ['end', 'start', 'error']);
  checkNumber(where, 'paddingId', paddingId, { integer: true });
  if (maximumLength !== undefined) checkNumber(where, 'maximumLength', maximumLength, { integer: true, min: 1 });
  if (sequences.length === 0) throw new ArgumentError({ where, rule: 'there must be at least one row', got: 'none' });
  if (padToMaximum && maximumLength === undefined) {
    throw new ArgumentError({ where, rule: 'padToMaximum needs maximumLength', got: 'none' });
  }
  const limit = maximumLength ?? Infinity;
  const lengths = Int32Array.from(sequences, ({ length }) => Math.min(length, limit));
  const tooLong = truncation === 'error' ? sequences.findIndex(({ length }) => length > limit) : -1;
  if (tooLong >= 0) {
    throw new ArgumentError({
      where,
      rule: 'no row may be longer than maximumLength',
      expected: `≤ ${limit}`,
      got: `${sequences[tooLong]!.length} in row ${tooLong}`,
      advice: "Raise maximumLength, or cut with truncation: 'end'.",
    });
  }
  const time = padToMaximum ? limit : lengths.reduce((longest, length) => Math.max(longest, length), 0);
  const ids = new Int32Array(sequences.length * time).fill(paddingId); // [B, T]
  for (const [row, sequence] of sequences.entries()) {
    const first = truncation === 'start' ? sequence.length - lengths[row]! : 0;
    for (let t = 0; t < lengths[row]!; t++) ids[row * time + t] = sequence[first + t]!;
  }
  return { ids, lengths, shape: [sequences.length, time] };
}
