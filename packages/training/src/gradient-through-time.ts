import {
  type CallOptions,
  type Cell,
  checkShape,
  disposeState,
  type Gradients,
  mapState,
  type State,
  type StepResult,
  valueAndGrad,
} from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';

/** Marks a tensor as the node `name`, a path of the state such as `hidden`; returns it, to be computed with from here on. */
export type Probe = (name: string, tensor: tf.Tensor) => tf.Tensor;

/** Options of `gradientThroughTime`. */
export interface GradientThroughTimeOptions<S extends State> extends CallOptions {
  readonly cell: Pick<Cell<S>, 'initialState'> & Partial<Pick<Cell<S>, 'step'>>;
  /** float32 [batch, time, inputSize] */
  readonly input: tf.Tensor;
  /** Default: the cell's initial state. It stays the caller's. */
  readonly state?: S | undefined;
  /** A scalar, from the outputs [batch, time, outputSize] and the last state. */
  readonly loss: (outputs: tf.Tensor, state: S) => tf.Tensor;
  /**
   * A step that marks its nodes itself. Without it the tensors of the state are marked when a step is over, so that those of
   * one step, and its output, do not depend on each other: an LSTM's dL/dc_t would hold h_t fixed. To have it through h_t
   * too, mark c_t before h_t is computed from it.
   */
  readonly step?: ((input: tf.Tensor, state: S, probe: Probe) => StepResult<S>) | undefined;
}

/** What `gradientThroughTime` returns: data to plot. */
export interface GradientThroughTime {
  readonly loss: number;
  /**
   * By path of the state (`hidden`, `0.cell`; `state` when it is one tensor): the Frobenius norm over [batch, size] of dL/ds_t
   * for t = 0 (the initial state) … T.
   */
  readonly norms: ReadonlyMap<string, Float32Array>;
}

/**
 * How gradients vanish or explode through time: ‖dL/dh_t‖ for every time step of any cell.
 *
 * Each state is s_t + 0, and the gradient with respect to that zero is dL/ds_t. Bengio, Simard and Frasconi 1994, "Learning
 * long-term dependencies with gradient descent is difficult", IEEE Transactions on Neural Networks 5; Pascanu et al. 2013,
 * arXiv:1211.5063, section 2.
 *
 * @throws ShapeError when the input is not [batch, time, inputSize]
 */
export async function gradientThroughTime<S extends State>({
  cell,
  input,
  state,
  loss,
  step,
  training,
  rng,
}: GradientThroughTimeOptions<S>): Promise<GradientThroughTime> {
  checkShape('gradientThroughTime', 'input', input, { batch: null, time: null, inputSize: null }, 'float32');
  const [batch, time] = input.shape as [number, number, number];
  const initial = state ?? cell.initialState(batch);
  const probes = new Map<string, tf.Variable[]>();
  mapState(initial, (tensor, path) => {
    const zeros = Array.from({ length: time + 1 }, () => tf.tidy(() => tf.variable(tf.zeros(tensor.shape))));
    probes.set(path, zeros);
    return tensor;
  });
  const key = (path: string, t: number): string => `${t}/${path}`;
  const named = new Map([...probes].flatMap(([path, zeros]) => zeros.map((zero, t) => [key(path, t), zero] as const)));
  const probeAt =
    (t: number): Probe =>
    (name, tensor) =>
      tf.add(tensor, probes.get(name)![t]!);
  const markAll = (current: S, t: number): S => mapState(current, (tensor, path) => probeAt(t)(path, tensor));

  try {
    const { value, gradients } = valueAndGrad(named, () => {
      const inputs = time === 1 ? [tf.squeeze(input, [1])] : tf.unstack(input, 1); // T × [B, D]
      const outputs: tf.Tensor[] = [];
      let current = markAll(initial, 0);
      inputs.forEach((x, t) => {
        const result = step ? step(x, current, probeAt(t + 1)) : cell.step!(x, current, { training, rng });
        outputs.push(result.output);
        current = step ? result.state : markAll(result.state, t + 1);
      });
      return { loss: loss(tf.stack(outputs, 1), current) };
    });
    const norms = new Map<string, Float32Array>();
    for (const path of probes.keys()) {
      const ofPath = Array.from({ length: time + 1 }, (_, t) => gradients.get(key(path, t)));
      norms.set(path === '' ? 'state' : path, await normsOf(ofPath));
    }
    const [lossValue] = await value.data<'float32'>();
    tf.dispose([value, ...gradients.values()]);
    return { loss: lossValue!, norms };
  } finally {
    tf.dispose([...named.values()]);
    if (!state) disposeState(initial);
  }
}

/** Euclidean norms, read back at once; 0 where there is no tensor. */
async function normsOf(tensors: readonly (tf.Tensor | undefined)[]): Promise<Float32Array> {
  const stacked = tf.tidy(() =>
    tf.stack(tensors.map(tensor => (tensor ? tf.sqrt(tf.sum(tf.square(tensor))) : tf.scalar(0)))),
  );
  const values = (await stacked.data<'float32'>()).slice();
  stacked.dispose();
  return values;
}

/** Options of `gradientNorms`. */
export interface GradientNormsOptions {
  /** The group of a path; a group has the norm of all its gradients together. Default: every parameter by itself. */
  readonly by?: ((path: string) => string) | undefined;
}

/** Euclidean norm of each gradient, or of groups: `{ by: path => path.split('.')[0]! }` for those of the model's fields. */
export async function gradientNorms(
  gradients: Gradients,
  { by = path => path }: GradientNormsOptions = {},
): Promise<Map<string, number>> {
  const paths = [...gradients.keys()];
  if (paths.length === 0) return new Map();
  const norms = await normsOf([...gradients.values()]);
  const groups = new Map<string, number>();
  paths.forEach((path, i) => {
    groups.set(by(path), Math.hypot(groups.get(by(path)) ?? 0, norms[i]!));
  });
  return groups;
}
