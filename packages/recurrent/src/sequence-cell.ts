import type { CallOptions, Cell, State, StepResult } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';
import type { NamedState, StateSizes } from './cell-options.ts';
import { readLengths, resetRows, restart } from './resets.ts';
import { tidy } from './tidy.ts';
import { checkSequence, type SequenceResult, type UnrollOptions, unroll } from './unroll.ts';

/** What the fused op of a cell takes. */
export interface FusedOptions<S extends State> {
  readonly state?: S | undefined;
  /** int32 [batch] */
  readonly lengths?: tf.Tensor | undefined;
  readonly reverse: boolean;
}

/** A cell with a fused op that runs a whole sequence, forward and backward, in one kernel each. */
export interface SequenceCell<S extends NamedState> extends Cell<S> {
  /** Widths of the tensors of the state. */
  readonly stateSizes: StateSizes<S>;
  /** Whether the op computes what `step` does in such a call; not so with layer norm or dropout in the recurrence. */
  fuses(options: CallOptions): boolean;
  /** The op: the same numbers as `unroll`. `input` is float32 [batch, time, inputSize]. */
  sequence(input: tf.Tensor, options: FusedOptions<S>): SequenceResult<S>;
}

/** Any cell; one with a fused op runs in it wherever it can. */
export type AnyCell<S extends State> = Cell<S> & {
  fuses?(options: CallOptions): boolean;
  sequence?(input: tf.Tensor, options: FusedOptions<S>): SequenceResult<S>;
};

/**
 * What `unroll` computes, through the cell's fused op where there is one.
 *
 * A window with resets is split at the steps at which any row begins anew, one call of the op for each part.
 */
export function runSequence<S extends State>(
  where: string,
  cell: AnyCell<S>,
  input: tf.Tensor,
  options: UnrollOptions<S>,
): SequenceResult<S> {
  if (!cell.fuses?.(options) || !cell.sequence) return unroll(cell, input, options);
  const { state: initial, lengths, resets, reverse = false } = options;
  const [batch, time] = checkSequence(where, input, cell.inputSize);
  const restarts = resetRows(where, resets, batch, time);
  const ends = readLengths(where, lengths, batch, time);
  return tidy(() => {
    if (restarts.size === 0) {
      return cell.sequence!(input, { state: initial, lengths: ends && tf.tensor1d(ends, 'int32'), reverse });
    }

    const starts = [...new Set([0, ...restarts.keys()])];
    const sizes = starts.map((start, part) => (starts[part + 1] ?? time) - start);
    // The gradient of TensorFlow.js's split throws for a single part.
    const inputs = sizes.length === 1 ? [input] : tf.split(input, sizes, 1); // parts × [B, size, D]
    const outputs: tf.Tensor[] = [];
    let state = initial;
    for (let read = 0; read < starts.length; read++) {
      const part = reverse ? starts.length - 1 - read : read;
      const start = starts[part]!;
      const size = sizes[part]!;
      const border = reverse ? start + size : start;
      const rows = restarts.get(border);
      if (rows && state) state = restart(state, () => cell.initialState(batch), rows, border, ends);
      const result = cell.sequence!(inputs[part]!, { state, lengths: ends && partOf(ends, start, size), reverse });
      outputs[part] = result.output;
      state = result.state;
    }
    return { output: tf.concat(outputs, 1), state: state! };
  });
}

/** What `cell.step` computes outside training, through the cell's fused op where there is one. */
export function stepOnce<S extends NamedState>(cell: SequenceCell<S>, input: tf.Tensor, state: S): StepResult<S> {
  if (!cell.fuses({})) return cell.step(input, state);
  const [batch, inputSize] = input.shape as [number, number];
  const window = tf.reshape(input, [batch, 1, inputSize]);
  const result = cell.sequence(window, { state, reverse: false });
  return { output: tf.reshape(result.output, [batch, cell.outputSize]), state: result.state };
}

/** How many steps of every row fall into start … start + size − 1: int32 [batch]. */
function partOf(lengths: Int32Array, start: number, size: number): tf.Tensor {
  const inside = lengths.map(length => Math.min(Math.max(length - start, 0), size));
  return tf.tensor1d(inside, 'int32');
}
