import {
  type CallOptions,
  type Cell,
  checkShape,
  mapState,
  ShapeError,
  type State,
  selectRows,
  selectWhere,
  stateTensors,
} from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';
import { type Lengths, type Resets, readLengths, resetRows, restart } from './resets.ts';
import { tidy } from './tidy.ts';

/** Options of `unroll`, and of everything that runs a recurrence over [batch, time, size]. */
export interface UnrollOptions<S extends State> extends CallOptions {
  /** State before the first step that is read. Default: the cell's `initialState`. It stays the caller's. */
  readonly state?: S | undefined;
  /**
   * Row b has the steps 0 … lengths[b]−1 (right padding; 0 is allowed). Outputs at later steps are zero, the final state is
   * that of the row's own last step, and no gradient flows through padding. Default: all steps.
   */
  readonly lengths?: Lengths | undefined;
  /** Where sequences begin inside the window. Default: nowhere. */
  readonly resets?: Resets | undefined;
  /** Reads every row from its last valid step to step 0; outputs stay aligned with the input. Default false. */
  readonly reverse?: boolean | undefined;
}

/** Outputs of a whole sequence, and the state after it. The caller owns the tensors. */
export interface SequenceResult<S extends State> {
  /** float32 [batch, time, outputSize]. */
  readonly output: tf.Tensor;
  /** State after the last step that was read. */
  readonly state: S;
}

/**
 * Runs any cell over a sequence, step by step: (y₁, s₁) = step(x₁, s₀), (y₂, s₂) = step(x₂, s₁), …
 *
 * Gradients flow through time by themselves. `training` and `rng` reach every step unchanged: what a cell draws from `rng` is
 * therefore the same at every step, as variational dropout wants it.
 *
 * @param input float32 [batch, time, cell.inputSize], with at least one step
 * @throws ShapeError or ArgumentError when input, lengths or resets do not fit
 */
export function unroll<S extends State>(
  cell: Cell<S>,
  input: tf.Tensor,
  { state: initial, lengths, resets, reverse = false, training, rng }: UnrollOptions<S> = {},
): SequenceResult<S> {
  const [batch, time] = checkSequence('unroll', input, cell.inputSize);
  const restarts = resetRows('unroll', resets, batch, time);
  const ends = readLengths('unroll', lengths, batch, time);
  return tidy(() => {
    const clean = ends ? withoutPadding(input, ends) : input;
    // The gradient of TensorFlow.js's unstack throws for a single step.
    const inputs = time === 1 ? [tf.squeeze(clean, [1])] : tf.unstack(clean, 1); // time × [B, D]
    const outputs: tf.Tensor[] = [];
    let state = initial ?? cell.initialState(batch);
    for (let read = 0; read < time; read++) {
      const t = reverse ? time - 1 - read : read;
      // The border that reading crosses now: between t and t+1 backward, between t−1 and t forward.
      const border = reverse ? t + 1 : t;
      const rows = restarts.get(border);
      if (rows) state = restart(state, () => cell.initialState(batch), rows, border, ends);
      const next = cell.step(inputs[t]!, state, { training, rng });
      const inside = ends?.some(end => end <= t) ? rowsLongerThan(ends, t) : null;
      outputs[t] = inside ? selectRows(inside, next.output, tf.zerosLike(next.output)) : next.output;
      state = inside ? selectRows(inside, next.state, state) : next.state;
    }
    return { output: tf.stack(outputs, 1), state: fresh(state, initial) };
  });
}

/** Batch and time of float32 [batch, time, inputSize]. Throws ShapeError for any other shape and for no steps. */
export function checkSequence(where: string, input: tf.Tensor, inputSize: number): [number, number] {
  checkShape(where, 'input', input, { batch: null, time: null, inputSize }, 'float32');
  const [batch, time] = input.shape as [number, number, number];
  if (time === 0) {
    throw new ShapeError({ where, rule: 'input must have at least one step', got: `[${input.shape.join(', ')}]` });
  }
  return [batch, time];
}

/** Zeros in the padding of float32 [B, T, D]: a NaN there would come back as a gradient, for NaN times a mask is still NaN. */
function withoutPadding(input: tf.Tensor, lengths: Int32Array): tf.Tensor {
  const steps = tf.range(0, input.shape[1]!, 1, 'int32');
  const inside = tf.less(steps, tf.tensor2d(lengths, [lengths.length, 1], 'int32')); // [B, T]
  return selectWhere(tf.expandDims(inside, 2), input, tf.zerosLike(input));
}

/** bool [batch]: whether a row has a step t. */
function rowsLongerThan(lengths: Int32Array, t: number): tf.Tensor {
  const rows = Array.from(lengths, length => length > t);
  return tf.tensor1d(rows, 'bool');
}

/** `state`, where tensors that are also in `initial` become clones: what goes out is never what came in. */
function fresh<S extends State>(state: S, initial: S | undefined): S {
  const given = new Set(initial === undefined ? [] : stateTensors(initial));
  return mapState(state, tensor => (given.has(tensor) ? tf.clone(tensor) : tensor));
}
