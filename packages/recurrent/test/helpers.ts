import { mapState, Rng, type State, stateTensors } from '@ostinato/core';
import { allClose, expectNoLeak } from '@ostinato/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'vitest';
import { GRU, LSTM, RNN, type SequenceResult } from '../src/index.ts';

/** Kinds of layers whose whole sequence is one op, as functions of shared options. */
export const kinds = {
  'RNN tanh': (options: Sizes) => new RNN(options),
  'RNN relu': (options: Sizes) => new RNN({ ...options, activation: 'relu' }),
  LSTM: (options: Sizes) => new LSTM(options),
  'LSTM with projection': (options: Sizes) => new LSTM({ ...options, projectionSize: 3 }),
  'LSTM without bias': (options: Sizes) => new LSTM({ ...options, bias: false }),
  'GRU reset after': (options: Sizes) => new GRU(options),
  'GRU reset before': (options: Sizes) => new GRU({ ...options, resetAfter: false }),
};

interface Sizes {
  readonly inputSize: number;
  readonly hiddenSize: number;
  readonly numLayers?: number;
  readonly bidirectional?: boolean;
  readonly merge?: 'concat' | 'sum' | 'average' | 'product';
  readonly dropout?: number;
  readonly inputDropout?: number;
  readonly recurrentDropout?: number;
  readonly variational?: boolean;
  readonly layerNorm?: boolean;
  readonly rng?: Rng;
}

/** Normal random numbers, the same for the same seed. */
export function random(shape: number[], seed = 1): tf.Tensor {
  return new Rng(seed).normal(shape);
}

/** A random state of the same shapes. Disposes nothing. */
export function randomState<S extends State>(like: S, seed = 9): S {
  return mapState(like, (tensor, path) => new Rng(seed).split(path).uniform(tensor.shape, -1, 1));
}

/** All elements agree, and the shapes of two tensors. */
export function expectClose(got: tf.Tensor, want: tf.Tensor | readonly number[]): void {
  if (want instanceof tf.Tensor) expect(got.shape).toEqual(want.shape);
  expect(allClose(got, want)).toMatchObject({ close: true });
}

/** Output and state tensors of two results agree. */
export function expectSame(got: SequenceResult<State>, want: SequenceResult<State>): void {
  expectClose(got.output, want.output);
  const wanted = stateTensors(want.state);
  const found = stateTensors(got.state);
  expect(found.length).toBe(wanted.length);
  found.forEach((tensor, i) => {
    expectClose(tensor, wanted[i]!);
  });
}

/** A scalar that weighs every element of output and state differently. */
export function weighted({ output, state }: SequenceResult<State>): tf.Scalar {
  return tf.tidy(() => {
    const terms = [output, ...stateTensors(state)].map((tensor, i) =>
      tf.sum(tf.mul(tensor, random(tensor.shape, 100 + i))),
    );
    return tf.addN(terms) as tf.Scalar;
  });
}

/** `body` leaks nothing, and every tensor of its result can be disposed apart from the others. */
export function expectOnlyResult(body: () => SequenceResult<State>): void {
  const before = tf.memory().numTensors;
  expectNoLeak(() => {
    const result = body();
    expect(tf.memory().numTensors - before).toBe(1 + stateTensors(result.state).length);
    return result;
  });
}

/** What `gradCheck` does for tensors, for a variable: the gradient of `loss` against central differences at some elements. */
export function checkGradient(variable: tf.Variable, loss: () => tf.Scalar, samples = 12): void {
  const analytic = tf.tidy(() => tf.variableGrads(loss, [variable]).grads[variable.name]!.dataSync());
  const values = Float32Array.from(variable.dataSync());
  const step = 5e-3;
  const at = (index: number, value: number): number => {
    const changed = Float32Array.from(values);
    changed[index] = value;
    return tf.tidy(() => {
      variable.assign(tf.tensor(changed, variable.shape));
      return loss().dataSync()[0]!;
    });
  };
  const here = tf.tidy(() => loss().dataSync()[0]!);
  const stride = Math.max(1, Math.floor(values.length / samples));
  let checked = 0;
  for (let i = 0; i < values.length; i += stride) {
    const above = (at(i, values[i]! + step) - here) / step;
    const below = (here - at(i, values[i]! - step)) / step;
    const numeric = (above + below) / 2;
    const tolerance = 2e-2 * Math.max(1, Math.abs(numeric));
    if (Math.abs(above - below) > tolerance) continue; // a kink of ReLU lies in between
    checked++;
    expect(Math.abs(analytic[i]! - numeric), `element ${i}: ${analytic[i]} or ${numeric}`).toBeLessThan(tolerance);
  }
  expect(checked).toBeGreaterThan(0);
  tf.tidy(() => variable.assign(tf.tensor(values, variable.shape)));
}
