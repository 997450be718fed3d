import * as tf from '@tensorflow/tfjs-core';

/** Rows of token ids in one array. */
export interface TokenRows {
  /** int32 [batch, time], row-major, zero behind each row. */
  readonly ids: Int32Array;
  /** int32 [batch] */
  readonly lengths: Int32Array;
  /** At least one step, also when every row is empty. */
  readonly shape: [batch: number, time: number];
}

/** Puts rows of different length under each other. */
export function padRows(rows: readonly Int32Array[], filler: number = 0): TokenRows {
  const lengths = Int32Array.from(rows, row => row.length);
  const time = lengths.reduce((most, length) => Math.max(most, length), 1);
  const ids = new Int32Array(rows.length * time).fill(filler);
  for (const [row, values] of rows.entries()) ids.set(values, row * time);
  return { ids, lengths, shape: [rows.length, time] };
}

/** int32 [batch, time] */
export function rowsTensor({ ids, shape }: TokenRows): tf.Tensor {
  return tf.tensor2d(ids, shape, 'int32');
}

/** Indices of rows in batches of about one length, short ones first: for reading, where the order does not matter. */
export function batchesByLength(rows: readonly Int32Array[], batchSize: number): number[][] {
  const order = rows.map((_, i) => i).sort((a, b) => rows[a]!.length - rows[b]!.length || a - b);
  const batches: number[][] = [];
  for (let start = 0; start < order.length; start += batchSize) batches.push(order.slice(start, start + batchSize));
  return batches;
}
