import { ArgumentError, checkShape, type State, selectRows } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';
import { tidy } from './tidy.ts';

/** Number of valid steps of every row: int32 [batch], on the device or as numbers. */
export type Lengths = tf.Tensor | ArrayLike<number>;

/**
 * Where sequences begin inside a window: row-major [batch · time], 1 (true) where nothing may cross from step t−1 to step t
 * of that row. Forward, the state is that of a new sequence before step t is read; backward, before step t−1 is read.
 */
export type Resets = ArrayLike<number | boolean>;

/** Rows that begin anew, by time step; steps without any are left out. Ascending in time. */
type ResetRows = ReadonlyMap<number, readonly boolean[]>;

/**
 * `lengths` as numbers. A tensor is read back, once: from there on, masks and parts of windows need no look at the device.
 *
 * @throws ShapeError or ArgumentError when there is not one per row, or one lies outside 0 … time
 */
export function readLengths(
  where: string,
  lengths: Lengths | undefined,
  batch: number,
  time: number,
): Int32Array | undefined {
  if (lengths === undefined) return undefined;
  const isTensor = lengths instanceof tf.Tensor;
  checkShape(
    where,
    'lengths',
    isTensor ? lengths : { shape: [lengths.length] },
    { batch },
    isTensor ? 'int32' : undefined,
  );
  const numbers = Array.from(isTensor ? lengths.dataSync() : lengths);
  const wrong = numbers.find(length => !Number.isInteger(length) || length < 0 || length > time);
  if (wrong !== undefined) {
    throw new ArgumentError({ where, rule: `every length must be an integer in 0 … ${time}`, got: String(wrong) });
  }
  return Int32Array.from(numbers);
}

/** The rows that `resets` marks, step by step. Throws when it does not have batch · time entries. */
export function resetRows(where: string, resets: Resets | undefined, batch: number, time: number): ResetRows {
  if (resets === undefined) return new Map();
  if (resets.length !== batch * time) {
    throw new ArgumentError({
      where,
      rule: 'resets must have one entry per row and step (row-major [batch, time])',
      expected: `${batch} · ${time} = ${batch * time}`,
      got: String(resets.length),
    });
  }
  const found = new Map<number, boolean[]>();
  for (let t = 0; t < time; t++) {
    const rows = Array.from({ length: batch }, (_, row) => Boolean(resets[row * time + t]));
    if (rows.includes(true)) found.set(t, rows);
  }
  return found;
}

/**
 * `state` with the marked rows as in `initial()`; no gradient passes from these rows to `state`. Rows that are over by step
 * `border` stay as they are.
 */
export function restart<S extends State>(
  state: S,
  initial: () => S,
  marked: readonly boolean[],
  border: number,
  lengths: Int32Array | undefined,
): S {
  const rows = marked.map((begins, row) => begins && border < (lengths?.[row] ?? Infinity));
  if (!rows.includes(true)) return state;
  return tidy(() => selectRows(tf.tensor1d(rows, 'bool'), initial(), state));
}
