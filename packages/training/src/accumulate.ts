import { checkNumber } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';
import { cloneTransformState, type GradientTransform, type TransformResult, type TransformState } from './transform.ts';

/** State of `accumulate`. */
export interface AccumulateState<S extends TransformState> {
  /** Sum of the gradients since the last update, by path. */
  readonly sums: ReadonlyMap<string, tf.Tensor>;
  /** How many gradients each sum has. */
  readonly counts: ReadonlyMap<string, number>;
  readonly inner: S;
  readonly [name: string]: TransformState;
}

/**
 * Gradient accumulation: `inner` sees the mean of `every` gradients, once in `every` steps; the steps between update
 * nothing. With micro-batches of equal size and a mean loss that is the gradient of one big batch.
 *
 * Schedules inside count the updates, ⌊step/every⌋. A parameter that had a gradient in only some of the steps has zeros for
 * the others.
 */
export function accumulate<S extends TransformState>(
  every: number,
  inner: GradientTransform<S>,
): GradientTransform<AccumulateState<S>> {
  checkNumber('accumulate', 'every', every, { integer: true, min: 1 });
  const { learningRate } = inner;
  return {
    init: parameters => ({
      sums: new Map([...parameters].map(([path, parameter]) => [path, tf.zeros(parameter.shape)])),
      counts: new Map([...parameters.keys()].map(path => [path, 0])),
      inner: inner.init(parameters),
    }),
    update(gradients, state, { parameters, step }): TransformResult<AccumulateState<S>> {
      const sums = new Map<string, tf.Tensor>();
      const counts = new Map<string, number>();
      for (const [path, sum] of state.sums) {
        const gradient = gradients.get(path);
        sums.set(path, gradient ? tf.add(sum, gradient) : tf.clone(sum));
        counts.set(path, state.counts.get(path)! + (gradient ? 1 : 0));
      }
      if (step % every < every - 1) {
        return { updates: new Map(), state: { sums, counts, inner: cloneTransformState(state.inner) } };
      }
      const seen = [...sums].filter(([path]) => counts.get(path)! > 0);
      const means = new Map(seen.map(([path, sum]) => [path, tf.div(sum, every)]));
      const result = inner.update(means, state.inner, { parameters, step: Math.floor(step / every) });
      tf.dispose([...means.values(), ...sums.values()]);
      const empty = new Map([...state.sums].map(([path, sum]) => [path, tf.zeros(sum.shape)]));
      const zeros = new Map([...counts.keys()].map(path => [path, 0]));
      return { updates: result.updates, state: { sums: empty, counts: zeros, inner: result.state } };
    },
    learningRate: learningRate && (step => learningRate(Math.floor(step / every))),
  };
}
