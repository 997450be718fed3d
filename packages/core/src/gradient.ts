import * as tf from '@tensorflow/tfjs-core';
import { ArgumentError, ResourceError, ShapeError } from './errors.ts';
import { type Parameters, select } from './module.ts';

/** Gradients by the path of their parameter, each of its parameter's shape. The caller disposes them. */
export type Gradients = ReadonlyMap<string, tf.Tensor>;

/** What `valueAndGrad` returns. The caller owns every tensor in it. */
export interface ValueAndGrad<Aux> {
  /** float32 scalar. */
  readonly value: tf.Scalar;
  readonly gradients: Map<string, tf.Tensor>;
  readonly aux: Aux;
}

/** Every tensor found in plain objects, arrays and Maps, but no Variable. */
function* tensorsIn(node: unknown): Generator<tf.Tensor> {
  if (node instanceof tf.Variable) return;
  if (node instanceof tf.Tensor) yield node;
  else if (node instanceof Map) for (const child of node.values()) yield* tensorsIn(child);
  else if (Array.isArray(node) || (typeof node === 'object' && node !== null && !ArrayBuffer.isView(node))) {
    for (const child of Object.values(node)) yield* tensorsIn(child);
  }
}

/**
 * TensorFlow.js leaves its tape, its scopes and its counters as they were at the moment of a throw inside a gradient. This
 * is the only file that touches them: it notes them before and restores them after, so that a failed step leaks nothing.
 */
interface EngineState {
  activeTape: { saved?: tf.Tensor[]; outputs: tf.Tensor[] }[] | null;
  gradientDepth: number;
  kernelDepth: number;
  scopeStack: { track: tf.Tensor[] }[];
}

/**
 * @param body gets a list for the tensors that outlive its scopes: when it throws, those that it made are freed; and a function that
 * gives a tensor that it kept to the scope around, so that a `tf.tidy` there frees it like any other
 */
function withCleanTape<Result>(body: (outliving: tf.Tensor[], adopt: (tensor: tf.Tensor) => void) => Result): Result {
  const engine = tf.engine() as unknown as { state: EngineState; nextTensorId(): number };
  const { state } = engine;
  const before = {
    activeTape: state.activeTape,
    tapeLength: state.activeTape?.length ?? 0,
    gradientDepth: state.gradientDepth,
    kernelDepth: state.kernelDepth,
    scopes: state.scopeStack.length,
    tensorId: engine.nextTensorId(),
  };
  const outliving: tf.Tensor[] = [];
  const adopt = (tensor: tf.Tensor): void => {
    tensor.kept = false;
    if (tensor.id > before.tensorId) state.scopeStack.at(-1)?.track.push(tensor);
  };
  try {
    return body(outliving, adopt);
  } catch (error) {
    for (const tensor of outliving) if (tensor.id > before.tensorId) tensor.dispose();
    // What the tape saved for the backward pass is kept and would outlive every scope.
    for (const node of state.activeTape?.slice(before.activeTape === state.activeTape ? before.tapeLength : 0) ?? []) {
      for (const tensor of node.saved ?? []) if (!tensor.isDisposed) tensor.dispose();
    }
    while (state.scopeStack.length > before.scopes) tf.engine().endScope();
    state.activeTape = before.activeTape;
    state.gradientDepth = before.gradientDepth;
    state.kernelDepth = before.kernelDepth;
    throw error;
  }
}

/**
 * Value and gradient of a scalar function of some parameters: ∂ loss / ∂ θ for every θ in `parameters`.
 *
 * `body` runs once, on a tape. `aux` is passed through (the recurrent state that the next window starts from, logits to
 * look at); its tensors are constants on every later tape, which is what *detaching* means elsewhere. Inside `tf.tidy` they end with
 * it, as `value` and `gradients` do. A parameter that the
 * loss does not depend on has no entry in `gradients`, and neither has one that is frozen (`variable.trainable` is false): it is
 * a constant here, as in TensorFlow.js's `variableGrads`. When `body` throws, nothing leaks and the tape is clean.
 *
 * @param parameters by path, from `parameters(model)` or a selection of it
 * @param body returns `loss`, a float32 scalar, and `aux`, any value; tensors in plain objects, arrays and Maps survive
 * @throws ArgumentError when `body` returns no `{ loss }`; ShapeError when the loss is no float32 scalar
 * @throws ResourceError when no gradients are registered, no parameter is trainable, or the loss depends on none that is
 */
export function valueAndGrad<Aux = undefined>(
  parameters: Parameters,
  body: () => { readonly loss: tf.Tensor; readonly aux?: Aux },
): ValueAndGrad<Aux> {
  const trainable = select(parameters, (_, variable) => variable.trainable);
  const paths = [...trainable.keys()];
  const variables = [...trainable.values()];
  if (variables.length === 0) {
    const got = parameters.size === 0 ? 'none' : `${parameters.size}, all frozen`;
    throw new ResourceError({ where: 'valueAndGrad', rule: 'there must be at least one trainable parameter', got });
  }
  return withCleanTape((outliving, adopt) => {
    let aux: Aux | undefined;
    const kept: tf.Tensor[] = [];
    const { value, grads } = tf.engine().gradients(
      () => {
        const result = body();
        const loss = result?.loss;
        if (!(loss instanceof tf.Tensor)) {
          throw new ArgumentError({
            where: 'valueAndGrad',
            rule: 'the function must return { loss }, or { loss, aux }, with a tensor as loss',
            got: result instanceof tf.Tensor ? 'the tensor itself' : typeof result,
            advice: 'Write `() => ({ loss })`; it cannot be async.',
          });
        }
        if (loss.rank !== 0 || loss.dtype !== 'float32') {
          throw new ShapeError({
            where: 'valueAndGrad',
            rule: 'the loss must be a float32 scalar',
            got: `${loss.dtype} [${loss.shape.join(', ')}]`,
            advice: 'Reduce it with tf.mean or tf.sum.',
          });
        }
        aux = result.aux;
        const tensors = [...tensorsIn(aux)];
        kept.push(...tensors.filter(tensor => !tensor.kept));
        kept.forEach(tf.keep);
        outliving.push(loss, ...tensors);
        return loss;
      },
      variables,
      undefined,
      true,
    );
    const gradients = new Map<string, tf.Tensor>();
    paths.forEach((path, i) => {
      const gradient = grads[i];
      if (gradient != null) gradients.set(path, gradient);
    });
    if (gradients.size === 0) {
      throw new ResourceError({
        where: 'valueAndGrad',
        rule: 'the loss must depend on at least one parameter',
        got: `a loss that depends on none of ${paths.length}`,
        advice: 'Compute the loss from the model inside the function, and pass the parameters of that model.',
      });
    }
    kept.forEach(adopt);
    return { value: value as tf.Scalar, gradients, aux: aux as Aux };
  });
}

/** x, seen as a constant by the gradient: forward the identity, backward zero. Shape and dtype are those of `x`. */
export function stopGradient<T extends tf.Tensor>(x: T): T {
  return tf.customGrad((input: unknown) => ({
    value: tf.clone(input as tf.Tensor),
    gradFunc: () => tf.zerosLike(input as tf.Tensor),
  }))(x) as T;
}
