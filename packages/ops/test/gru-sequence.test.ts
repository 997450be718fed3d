import { expectNoLeak, gradCheck } from '@ostinato/testing';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { type GruSequenceArguments, gruSequence } from '../src/index.ts';
import {
  expectClose,
  gatesOf,
  lengthsOf,
  matrixOf,
  plainRecurrence,
  product,
  type Reading,
  random,
  readings,
  type Sizes,
  sigmoid,
  sum,
  vectorOf,
} from './plain.ts';

type Given = Required<Omit<{ [name in keyof GruSequenceArguments]: tf.Tensor }, 'lengths' | 'recurrentBias'>> & {
  recurrentBias?: tf.Tensor;
};

function argumentsOf({ batch, time, inputSize, hiddenSize }: Sizes, resetAfter: boolean): Given {
  return {
    input: random([batch, time, inputSize], 'input'),
    inputWeight: random([inputSize, 3 * hiddenSize], 'inputWeight'),
    recurrentWeight: random([hiddenSize, 3 * hiddenSize], 'recurrentWeight'),
    bias: random([3 * hiddenSize], 'bias'),
    initialHidden: random([batch, hiddenSize], 'initialHidden'),
    ...(resetAfter ? { recurrentBias: random([3 * hiddenSize], 'recurrentBias') } : {}),
  };
}

function plain(of: Given, resetAfter: boolean, reading: Reading) {
  const [w, u, b] = [matrixOf(of.inputWeight), matrixOf(of.recurrentWeight), vectorOf(of.bias)];
  const c = of.recurrentBias ? vectorOf(of.recurrentBias) : b.map(() => 0);
  return plainRecurrence(
    of.input,
    [of.initialHidden],
    (x, [h]) => {
      const [xr, xz, xn] = gatesOf(sum(product(x, w), b), 3);
      const [hr, hz, hn] = gatesOf(sum(product(h!, u), c), 3);
      const r = sum(xr!, hr!).map(sigmoid);
      const z = sum(xz!, hz!).map(sigmoid);
      const resetFirst = product(
        h!.map((value, k) => r[k]! * value),
        u.map(row => gatesOf(row, 3)[2]!),
      );
      const n = xn!.map((value, k) => Math.tanh(value + (resetAfter ? r[k]! * hn![k]! : resetFirst[k]!)));
      return [n.map((value, k) => (1 - z[k]!) * value + z[k]! * h![k]!)];
    },
    reading,
  );
}

describe.each([
  ['after', true],
  ['before', false],
] as const)('gruSequence with the reset %s the product', (_, resetAfter) => {
  it.each(readings)('agrees with plain loops: %s', (__, sizes, reading) => {
    const given = argumentsOf(sizes, resetAfter);
    const options = { resetAfter, reverse: reading.reverse };
    const { output, hidden } = gruSequence({ ...given, lengths: lengthsOf(reading) }, options);
    const want = plain(given, resetAfter, reading);
    expect(output.shape).toEqual([sizes.batch, sizes.time, sizes.hiddenSize]);
    expectClose(output, want.output);
    expectClose(hidden, want.last.flat());
  });

  it.each(readings)('has the gradients of differences: %s', (__, sizes, reading) => {
    const given = argumentsOf(sizes, resetAfter);
    const names = Object.keys(given);
    gradCheck((...tensors) => {
      const replaced = Object.fromEntries(names.map((name, i) => [name, tensors[i]!])) as unknown as Given;
      const options = { resetAfter, reverse: reading.reverse };
      const { output, hidden } = gruSequence({ ...replaced, lengths: lengthsOf(reading) }, options);
      return [output, hidden];
    }, Object.values(given));
  });
});

describe('gruSequence', () => {
  const sizes = { batch: 2, time: 3, inputSize: 4, hiddenSize: 5 };
  const given: GruSequenceArguments = argumentsOf(sizes, true);

  it('reads absent biases and an absent state as zeros', () => {
    const { bias, recurrentBias, initialHidden, ...rest } = given;
    const zeros = {
      ...rest,
      bias: tf.zerosLike(bias!),
      recurrentBias: tf.zerosLike(recurrentBias!),
      initialHidden: tf.zerosLike(initialHidden!),
    };
    expectClose(gruSequence(rest).output, gruSequence(zeros).output);
    gradCheck(
      (...tensors) => {
        const [input, inputWeight, recurrentWeight] = tensors as [tf.Tensor, tf.Tensor, tf.Tensor];
        return gruSequence({ input, inputWeight, recurrentWeight }).output;
      },
      [given.input, given.inputWeight, given.recurrentWeight],
    );
  });

  it('gives the last state alone', () => {
    const last = gruSequence(given, { states: 'last' });
    expect(last.output).toBeNull();
    expectClose(last.hidden, gruSequence(given).hidden);
  });

  it('leaks nothing', () => {
    expectNoLeak(() => gruSequence(given, { states: 'last' }));
    const lengths = tf.tensor1d([3, 0], 'int32');
    const { recurrentBias, ...before } = given;
    expectNoLeak(() => gruSequence({ ...given, lengths }, { reverse: true }));
    expectNoLeak(() => gruSequence(before, { resetAfter: false }));
    expectNoLeak(() => tf.grad(input => tf.sum(gruSequence({ ...given, input, lengths }).output))(given.input));
  });

  it.each([
    ['input must be [batch, time, inputSize], expected [?, ?, 4], got [2, 3, 5].', { input: tf.zeros([2, 3, 5]) }],
    ['inputWeight must have 3 columns for each hidden unit, got [4, 16].', { inputWeight: tf.zeros([4, 16]) }],
    ['recurrentWeight must be [hiddenSize, gates], expected [5, 15]', { recurrentWeight: tf.zeros([4, 15]) }],
    ['bias must be [gates], expected [15], got [5].', { bias: tf.zeros([5]) }],
    ['recurrentBias must be [gates], expected [15], got [5].', { recurrentBias: tf.zeros([5]) }],
    ['initialHidden must be [batch, hiddenSize], expected [2, 5]', { initialHidden: tf.zeros([2, 4]) }],
    ['every length must be in 0 … 3, got 5 in row 1.', { lengths: tf.tensor1d([0, 5], 'int32') }],
  ] as const)('says: %s', (message, changes) => {
    expect(() => gruSequence({ ...given, ...changes })).toThrow(`gruSequence: ${message}`);
  });

  it('has no recurrent bias when the reset comes before', () => {
    expect(() => gruSequence(given, { resetAfter: false })).toThrow(
      'gruSequence: recurrentBias belongs to the reset-after form, got resetAfter: false. Leave recurrentBias out.',
    );
  });
});
