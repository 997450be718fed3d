import { checkNumber, checkShape } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';

/** Which positions the steps of an input have: `positions`, or `offset` and those behind it. */
export interface PositionOptions {
  /** Position of the first step; the others follow. Default 0. A cache of earlier steps makes it their number. */
  readonly offset?: number | undefined;
  /** Position of every step, int32 [time] or [batch, time], in place of `offset`: for rows that start at different positions. */
  readonly positions?: tf.Tensor | undefined;
}

/** Checks positions; returns whether they differ from row to row. `limit` is how many positions there are. */
export function checkPositions(
  where: string,
  { offset = 0, positions }: PositionOptions,
  { batch, time, limit = Infinity }: { batch: number | null; time: number; limit?: number },
): boolean {
  if (!positions) {
    checkNumber(where, 'offset', offset, { integer: true, min: 0, max: limit - time });
    return false;
  }
  const perRow = positions.rank === 2;
  checkShape(where, 'positions', positions, { ...(perRow ? { batch } : {}), time }, 'int32');
  return perRow;
}

/** offset … offset + time − 1. */
export function range(offset: number, time: number): number[] {
  return Array.from({ length: time }, (_, i) => offset + i);
}

/** Angles pos · frequency, their sines or cosines made in float64: float32 [positions, frequencies]. */
export function waves(positions: readonly number[], frequencies: readonly number[], wave: 'sin' | 'cos'): tf.Tensor2D {
  const values = new Float32Array(positions.length * frequencies.length);
  let next = 0;
  for (const position of positions)
    for (const frequency of frequencies) values[next++] = Math[wave](position * frequency);
  return tf.tensor2d(values, [positions.length, frequencies.length]);
}
