import { expectNoLeak, gradCheck } from '@ostinato/testing';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { type RnnSequenceArguments, rnnSequence } from '../src/index.ts';
import {
  expectClose,
  lengthsOf,
  matrixOf,
  plainRecurrence,
  product,
  type Reading,
  random,
  readings,
  type Sizes,
  sum,
  vectorOf,
} from './plain.ts';

const names = ['input', 'inputWeight', 'recurrentWeight', 'bias', 'initialHidden'] as const;

function argumentsOf({ batch, time, inputSize, hiddenSize }: Sizes): Record<(typeof names)[number], tf.Tensor> {
  return {
    input: random([batch, time, inputSize], 'input'),
    inputWeight: random([inputSize, hiddenSize], 'inputWeight'),
    recurrentWeight: random([hiddenSize, hiddenSize], 'recurrentWeight'),
    bias: random([hiddenSize], 'bias'),
    initialHidden: random([batch, hiddenSize], 'initialHidden'),
  };
}

function plain(of: ReturnType<typeof argumentsOf>, phi: (x: number) => number, reading: Reading) {
  const [w, u, b] = [matrixOf(of.inputWeight), matrixOf(of.recurrentWeight), vectorOf(of.bias)];
  return plainRecurrence(
    of.input,
    [of.initialHidden],
    (x, [h]) => [sum(product(x, w), b, product(h!, u)).map(phi)],
    reading,
  );
}

describe.each([
  ['tanh', Math.tanh],
  ['relu', (x: number) => Math.max(0, x)],
] as const)('rnnSequence with %s', (activation, phi) => {
  it.each(readings)('agrees with plain loops: %s', (_, sizes, reading) => {
    const given = argumentsOf(sizes);
    const options = { activation, reverse: reading.reverse };
    const { output, hidden } = rnnSequence({ ...given, lengths: lengthsOf(reading) }, options);
    const want = plain(given, phi, reading);
    expect(output.shape).toEqual([sizes.batch, sizes.time, sizes.hiddenSize]);
    expectClose(output, want.output);
    expectClose(hidden, want.last.flat());
  });

  it.each(readings)('has the gradients of differences: %s', (_, sizes, reading) => {
    const given = argumentsOf(sizes);
    if (activation === 'relu') {
      // Far from the kink, on both sides of it.
      given.input = tf.mul(given.input, 0.1);
      given.initialHidden = tf.mul(given.initialHidden, 0.1);
      given.recurrentWeight = tf.mul(given.recurrentWeight, 0.1);
      given.bias = tf.tensor1d(Array.from({ length: sizes.hiddenSize }, (__, i) => (i % 2 === 0 ? 1 : -1)));
    }
    gradCheck(
      (input, inputWeight, recurrentWeight, bias, initialHidden) => {
        const { output, hidden } = rnnSequence(
          {
            input: input!,
            inputWeight: inputWeight!,
            recurrentWeight: recurrentWeight!,
            bias,
            initialHidden,
            lengths: lengthsOf(reading),
          },
          { activation, reverse: reading.reverse },
        );
        return [output, hidden];
      },
      names.map(name => given[name]),
    );
  });
});

describe('rnnSequence', () => {
  const sizes = { batch: 2, time: 3, inputSize: 4, hiddenSize: 5 };
  const given: RnnSequenceArguments = argumentsOf(sizes);

  it('reads an absent bias and an absent state as zeros', () => {
    const { bias, initialHidden, ...rest } = given;
    const zeros = { ...rest, bias: tf.zerosLike(bias!), initialHidden: tf.zerosLike(initialHidden!) };
    expectClose(rnnSequence(rest).output, rnnSequence(zeros).output);
    gradCheck(
      (...tensors) => {
        const [input, inputWeight, recurrentWeight] = tensors as [tf.Tensor, tf.Tensor, tf.Tensor];
        return rnnSequence({ input, inputWeight, recurrentWeight }).output;
      },
      [given.input, given.inputWeight, given.recurrentWeight],
    );
  });

  it('sends no gradient through padding', () => {
    const lengths = tf.tensor1d([1, 0], 'int32');
    const gradient = tf.grad(input => tf.sum(rnnSequence({ ...given, input, lengths }).output))(given.input);
    const values = gradient.arraySync() as number[][][];
    expect(values[0]![0]!.every(x => x !== 0)).toBe(true);
    expect([...values[0]!.slice(1), ...values[1]!].flat().every(x => x === 0)).toBe(true);
  });

  it('keeps what padding holds out of everything, a NaN too', () => {
    const input = tf.where(tf.tensor3d([1, 0, 0, 1, 1, 0], [2, 3, 1], 'bool'), given.input, Number.NaN);
    const lengths = tf.tensor1d([1, 2], 'int32');
    const clean = tf.where(tf.isNaN(input), tf.zerosLike(input), input);
    const results = [input, clean].map(x =>
      tf.grads((...[padded, inputWeight]) => {
        const { output, hidden } = rnnSequence({ ...given, input: padded!, inputWeight: inputWeight!, lengths });
        return tf.add(tf.sum(output), tf.sum(hidden));
      })([x, given.inputWeight]),
    );
    results[0]!.forEach((gradient, i) => {
      expectClose(gradient, results[1]![i]!);
    });
  });

  it.each([false, true])('gives the last state alone, reverse %s', reverse => {
    const lengths = tf.tensor1d([2, 0], 'int32');
    const last = rnnSequence({ ...given, lengths }, { reverse, states: 'last' });
    expect(last.output).toBeNull();
    expectClose(last.hidden, rnnSequence({ ...given, lengths }, { reverse }).hidden);
  });

  it('leaks nothing', () => {
    expectNoLeak(() => rnnSequence(given, { states: 'last' }));
    const lengths = tf.tensor1d([3, 1], 'int32');
    expectNoLeak(() => rnnSequence({ ...given, lengths }, { reverse: true }));
    expectNoLeak(() => tf.grad(input => tf.sum(rnnSequence({ ...given, input }).hidden))(given.input));
  });

  const wrong = (changes: Partial<RnnSequenceArguments>) => () => rnnSequence({ ...given, ...changes });

  it.each([
    ['input must be [batch, time, inputSize], expected [?, ?, 4], got [2, 4].', { input: tf.zeros([2, 4]) }],
    ['input must have dtype float32, got int32.', { input: tf.zeros([2, 3, 4], 'int32') }],
    ['input must have at least one row and one step, got [0, 3, 4].', { input: tf.zeros([0, 3, 4]) }],
    ['input must have at least one row and one step, got [2, 0, 4].', { input: tf.zeros([2, 0, 4]) }],
    ['inputWeight must be [inputSize, gates], expected [?, ?], got [4].', { inputWeight: tf.zeros([4]) }],
    ['recurrentWeight must be [hiddenSize, gates], expected [5, 5]', { recurrentWeight: tf.zeros([5, 4]) }],
    ['bias must be [gates], expected [5], got [1].', { bias: tf.zeros([1]) }],
    ['initialHidden must be [batch, hiddenSize], expected [2, 5]', { initialHidden: tf.zeros([1, 5]) }],
    ['lengths must be [batch], expected [2], got [3].', { lengths: tf.zeros([3], 'int32') }],
    ['lengths must have dtype int32, got float32.', { lengths: tf.zeros([2]) }],
    ['every length must be in 0 … 3, got 4 in row 1.', { lengths: tf.tensor1d([3, 4], 'int32') }],
    ['every length must be in 0 … 3, got -1 in row 0.', { lengths: tf.tensor1d([-1, 9], 'int32') }],
  ] as const)('says: %s', (message, changes) => {
    expect(wrong(changes)).toThrow(`rnnSequence: ${message}`);
  });

  it('lists the activations', () => {
    expect(() => rnnSequence(given, { activation: 'selu' as 'relu' })).toThrow(
      "rnnSequence: unknown activation, expected 'tanh' | 'relu', got 'selu'.",
    );
  });
});
