import type { Cell, State } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';
import type { NamedState } from './cell-options.ts';
import { checkSequence } from './unroll.ts';

/** A cell that can be watched: an `RNNCell`, an `LSTMCell`, a `GRUCell`, or one of your own with named states. */
export type TracedCell<S extends NamedState> = Cell<S> & {
  readonly inputSize: number;
  /** Named values of a step that are worth seeing, each [batch, size]. */
  gates?(input: tf.Tensor, state: S): Readonly<Record<string, tf.Tensor>>;
};

/**
 * What a cell does at every step of a sequence: its gates, where it has some, and its states, by name. For looking, not for
 * training: steps are run one by one.
 *
 * An LSTM has i, f, g, o, hidden and cell; a GRU r, z, n and hidden; a plain network hidden.
 *
 * @param input float32 [batch, time, cell.inputSize], with at least one step
 * @param state before the first step; it stays the caller's. Default: the cell's `initialState`
 * @returns each float32 [batch, time, size]; the caller disposes them
 * @throws ShapeError when input or state do not fit
 */
export function traceCell<S extends NamedState & State>(
  cell: TracedCell<S>,
  input: tf.Tensor,
  { state: initial }: { readonly state?: S | undefined } = {},
): Record<string, tf.Tensor> {
  const [batch, time] = checkSequence('traceCell', input, cell.inputSize);
  return tf.tidy(() => {
    let state = initial ?? cell.initialState(batch);
    const steps: Record<string, tf.Tensor[]> = {};
    for (let t = 0; t < time; t++) {
      const x = tf.squeeze(tf.slice(input, [0, t, 0], [batch, 1, -1]), [1]); // [B, D]
      const gates = cell.gates?.(x, state) ?? {};
      state = cell.step(x, state).state;
      for (const [name, value] of Object.entries<tf.Tensor>({ ...gates, ...(state as NamedState) })) {
        steps[name] ??= [];
        steps[name].push(value);
      }
    }
    return Object.fromEntries(Object.entries(steps).map(([name, values]) => [name, tf.stack(values, 1)]));
  });
}
