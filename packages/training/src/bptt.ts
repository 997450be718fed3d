import {
  type CallOptions,
  checkNumber,
  disposeState,
  mapState,
  type Parameters,
  ShapeError,
  type State,
  valueAndGrad,
} from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';

/** One window of truncated back-propagation, in time steps of the whole sequence. */
export interface Window {
  /** Where the forward pass begins, from a state that is a constant. */
  readonly start: number;
  /** From here to `end` the outputs have a loss. */
  readonly lossStart: number;
  readonly end: number;
  /** The `start` of the next window, whose state has to be kept; in the last window its `end`. */
  readonly nextStart: number;
}

/** Options of `windows`. */
export interface WindowsOptions {
  /** Length of the sequence; Infinity for a stream. */
  readonly steps: number;
  /** How often to back-propagate: every k1 steps. */
  readonly k1: number;
  /** How far: through k2 steps, k2 ≥ k1. */
  readonly k2: number;
}

/**
 * The windows of truncated back-propagation through time: at k1, 2k1, … the loss of the newest k1 steps goes back through the
 * newest k2. Each step's loss counts once; the last window is shorter when k1 does not divide the length.
 *
 * Williams and Peng 1990, "An efficient gradient-based algorithm for on-line training of recurrent network trajectories",
 * Neural Computation 2: BPTT(h; h′) with h = k2 and h′ = k1. The names k1 and k2 are Sutskever's (2013, thesis, section 2.8.6).
 *
 * @throws ArgumentError when k1 or k2 is no positive integer, or k2 < k1
 */
export function* windows({ steps, k1, k2 }: WindowsOptions): Generator<Window, void> {
  checkNumber('windows', 'k1', k1, { integer: true, min: 1 });
  checkNumber('windows', 'k2', k2, { integer: true, min: k1 });
  for (let lossStart = 0; lossStart < steps; lossStart += k1) {
    const end = Math.min(lossStart + k1, steps);
    const nextStart = end < steps ? Math.max(0, Math.min(end + k1, steps) - k2) : end;
    yield { start: Math.max(0, end - k2), lossStart, end, nextStart };
  }
}

/** Rows that begin anew: row-major [batch, time], true where the state is that of a new sequence before this step. */
export type ResetMask = ArrayLike<number | boolean>;

/** What truncated back-propagation asks of a model: a recurrent layer, or a whole model from token ids to logits. */
export interface RecurrentModel<S extends State> {
  /** @param input [batch, time, ...] */
  call(
    input: tf.Tensor,
    options: CallOptions & { readonly state?: S | undefined; readonly resets?: ResetMask | undefined },
  ): { readonly output: tf.Tensor; readonly state: S };
}

/** What `windowLoss` computes from. */
export interface WindowLossOptions<S extends State> extends CallOptions {
  readonly model: RecurrentModel<S>;
  readonly window: Window;
  /** float32 or int32 `[batch, end − start, ...]`: the window's steps alone. */
  readonly input: tf.Tensor;
  /** State after `window.start` steps. Default: the model's own initial state. It stays the caller's. */
  readonly state?: S | undefined;
  /** For the window's steps, row-major [batch, end − start]. */
  readonly resets?: ResetMask | undefined;
  /** Loss of the outputs [batch, end − lossStart, ...]. What a model would compute for earlier steps in vain belongs here. */
  readonly loss: (output: tf.Tensor) => tf.Tensor;
}

/** What `windowLoss` returns. */
export interface WindowLoss<S extends State> {
  readonly loss: tf.Tensor;
  /** State after `window.nextStart` steps; undefined while the next window begins at the model's own initial state. */
  readonly state: S | undefined;
}

/**
 * Loss of one window, for the inside of `valueAndGrad` or of `fit`'s `loss`; carry `state` to the next window.
 *
 * The window is read in parts, which end where the loss begins and where the next window does. Each part has an `rng` of its
 * own, so variational dropout draws one mask a part; with k1 = k2 a window is one part.
 *
 * @throws ShapeError when the input does not have the window's steps
 */
export function windowLoss<S extends State>({
  model,
  window,
  input,
  state,
  resets,
  loss,
  training,
  rng,
}: WindowLossOptions<S>): WindowLoss<S> {
  const { start, lossStart, end, nextStart } = window;
  const [batch, time] = input.shape as [number, number];
  if (input.rank < 2 || time !== end - start) {
    throw new ShapeError({
      where: 'windowLoss',
      rule: 'input must have the steps of its window, [batch, end − start, ...]',
      expected: `[?, ${end - start}, ...]`,
      got: `[${input.shape.join(', ')}]`,
    });
  }
  const borders = [...new Set([start, nextStart, lossStart, end])].sort((a, b) => a - b);
  const outputs: tf.Tensor[] = [];
  let current = state;
  let carried = nextStart === start ? state : undefined;
  borders.slice(1).forEach((to, part) => {
    const from = borders[part]!;
    const result = model.call(sliceTime(input, from - start, to - start), {
      state: current,
      resets: resets && sliceResets(resets, { batch, time, from: from - start, to: to - start }),
      training,
      rng: rng?.split(part),
    });
    current = result.state;
    if (from >= lossStart) outputs.push(result.output);
    if (to === nextStart) carried = result.state;
  });
  const output = outputs.length === 1 ? outputs[0]! : tf.concat(outputs, 1);
  // Clones: what goes out must outlive what came in.
  return { loss: loss(output), state: carried && mapState(carried, tensor => tf.clone(tensor)) };
}

/** Steps from … to−1 of [batch, time, ...]. */
function sliceTime(input: tf.Tensor, from: number, to: number): tf.Tensor {
  if (from === 0 && to === input.shape[1]) return input;
  const begin = input.shape.map((_, axis) => (axis === 1 ? from : 0));
  const size = input.shape.map((length, axis) => (axis === 1 ? to - from : length));
  return tf.slice(input, begin, size);
}

function sliceResets(
  resets: ResetMask,
  { batch, time, from, to }: { batch: number; time: number; from: number; to: number },
): boolean[] {
  const rows = Array.from({ length: batch }, (_, row) => row * time);
  return rows.flatMap(row => Array.from({ length: to - from }, (_, t) => Boolean(resets[row + from + t])));
}

/** Options of `truncatedBptt`. */
export interface TruncatedBpttOptions<S extends State> extends Omit<WindowLossOptions<S>, 'window' | 'loss'> {
  /** What is differentiated. */
  readonly parameters: Parameters;
  readonly k1: number;
  readonly k2: number;
  /** Loss of the outputs of steps lossStart … end−1, [batch, end − lossStart, ...]. */
  readonly loss: (output: tf.Tensor, window: Window) => tf.Tensor;
}

/** What `truncatedBptt` yields for each window. */
export interface WindowGradients<S extends State> {
  readonly window: Window;
  /** The loss, a float32 scalar. The caller disposes it. */
  readonly value: tf.Scalar;
  /** By parameter path. The caller disposes them. */
  readonly gradients: Map<string, tf.Tensor>;
  /** The state that the next window begins with. The generator disposes it. */
  readonly state: S | undefined;
}

/**
 * Truncated back-propagation over one sequence in memory: loss and gradients of each window of `windows`. Parameters may be
 * updated between windows; states that were carried are not computed anew.
 *
 * `input` is [batch, time, ...] and `resets` row-major [batch, time], of the whole sequence.
 */
export function* truncatedBptt<S extends State>(options: TruncatedBpttOptions<S>): Generator<WindowGradients<S>, void> {
  const { model, parameters, input, state: initial, resets, loss, training, rng, k1, k2 } = options;
  const [batch, time] = input.shape as [number, number];
  let state: S | undefined = initial && mapState(initial, tensor => tf.clone(tensor));
  try {
    let index = 0;
    for (const window of windows({ steps: time, k1, k2 })) {
      const { start, end } = window;
      const { value, gradients, aux } = valueAndGrad(parameters, () => {
        const result = windowLoss({
          model,
          window,
          input: sliceTime(input, start, end),
          state,
          resets: resets && sliceResets(resets, { batch, time, from: start, to: end }),
          loss: output => loss(output, window),
          training,
          rng: rng?.split(index),
        });
        return { loss: result.loss, aux: result.state };
      });
      if (state) disposeState(state);
      state = aux;
      index++;
      yield { window, value, gradients, state };
    }
  } finally {
    if (state) disposeState(state);
  }
}
