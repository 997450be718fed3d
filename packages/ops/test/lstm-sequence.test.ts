import { expectNoLeak, gradCheck } from '@ostinato/testing';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { type LstmSequenceArguments, lstmSequence } from '../src/index.ts';
import {
  expectClose,
  gatesOf,
  lengthsOf,
  type Matrix,
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

type Given = Required<Omit<{ [name in keyof LstmSequenceArguments]: tf.Tensor }, 'lengths' | 'projection'>> & {
  projection?: tf.Tensor;
};

function argumentsOf({ batch, time, inputSize, hiddenSize }: Sizes, projected: number | null): Given {
  const width = projected ?? hiddenSize;
  return {
    input: random([batch, time, inputSize], 'input'),
    inputWeight: random([inputSize, 4 * hiddenSize], 'inputWeight'),
    recurrentWeight: random([width, 4 * hiddenSize], 'recurrentWeight'),
    bias: random([4 * hiddenSize], 'bias'),
    initialHidden: random([batch, width], 'initialHidden'),
    initialCell: random([batch, hiddenSize], 'initialCell'),
    ...(projected === null ? {} : { projection: random([hiddenSize, width], 'projection') }),
  };
}

function plain(of: Given, reading: Reading) {
  const [w, u, b] = [matrixOf(of.inputWeight), matrixOf(of.recurrentWeight), vectorOf(of.bias)];
  const projection: Matrix | null = of.projection ? matrixOf(of.projection) : null;
  return plainRecurrence(
    of.input,
    [of.initialHidden, of.initialCell],
    (x, [h, c]) => {
      const [i, f, g, o] = gatesOf(sum(product(x, w), b, product(h!, u)), 4);
      const cell = c!.map((value, k) => sigmoid(f![k]!) * value + sigmoid(i![k]!) * Math.tanh(g![k]!));
      const exposed = cell.map((value, k) => sigmoid(o![k]!) * Math.tanh(value));
      return [projection ? product(exposed, projection) : exposed, cell];
    },
    reading,
  );
}

describe.each([
  ['no projection', null],
  ['a narrower projection', 1],
  ['a wider projection', 4],
] as const)('lstmSequence with %s', (_, projected) => {
  it.each(readings)('agrees with plain loops: %s', (__, sizes, reading) => {
    const given = argumentsOf(sizes, projected);
    const got = lstmSequence({ ...given, lengths: lengthsOf(reading) }, { reverse: reading.reverse });
    const want = plain(given, reading);
    expect(got.output.shape).toEqual([sizes.batch, sizes.time, projected ?? sizes.hiddenSize]);
    expectClose(got.output, want.output);
    expectClose(
      got.hidden,
      want.last.map(([hidden]) => hidden!),
    );
    expectClose(
      got.cell,
      want.last.map(([, cell]) => cell!),
    );
  });

  it.each(readings)('has the gradients of differences: %s', (__, sizes, reading) => {
    const given = argumentsOf(sizes, projected);
    const names = Object.keys(given);
    gradCheck((...tensors) => {
      const replaced = Object.fromEntries(names.map((name, i) => [name, tensors[i]!])) as unknown as Given;
      const result = lstmSequence({ ...replaced, lengths: lengthsOf(reading) }, { reverse: reading.reverse });
      return [result.output, result.hidden, result.cell];
    }, Object.values(given));
  });
});

describe('lstmSequence', () => {
  const sizes = { batch: 2, time: 3, inputSize: 4, hiddenSize: 5 };
  const given: LstmSequenceArguments = argumentsOf(sizes, null);

  it('reads an absent bias and an absent state as zeros', () => {
    const { bias, initialHidden, initialCell, ...rest } = given;
    const zeros = {
      ...rest,
      bias: tf.zerosLike(bias!),
      initialHidden: tf.zerosLike(initialHidden!),
      initialCell: tf.zerosLike(initialCell!),
    };
    expectClose(lstmSequence(rest).output, lstmSequence(zeros).output);
    gradCheck(
      (...tensors) => {
        const [input, inputWeight, recurrentWeight] = tensors as [tf.Tensor, tf.Tensor, tf.Tensor];
        return lstmSequence({ input, inputWeight, recurrentWeight }).output;
      },
      [given.input, given.inputWeight, given.recurrentWeight],
    );
  });

  it('gives the initial state back for a row of length 0', () => {
    const result = lstmSequence({ ...given, lengths: tf.tensor1d([0, 3], 'int32') });
    const first = (tensor: tf.Tensor): number[] => matrixOf(tensor)[0]! as number[];
    expect(first(result.hidden)).toEqual(first(given.initialHidden!));
    expect(first(result.cell)).toEqual(first(given.initialCell!));
    expect((result.output.arraySync() as number[][][])[0]!.flat().every(x => x === 0)).toBe(true);
  });

  it('goes on from its state: two windows are one', () => {
    const whole = lstmSequence(given);
    const window = (from: number, steps: number) => tf.slice(given.input, [0, from, 0], [-1, steps, -1]);
    const one = lstmSequence({ ...given, input: window(0, 2) });
    const two = lstmSequence({ ...given, input: window(2, 1), initialHidden: one.hidden, initialCell: one.cell });
    expectClose(tf.concat([one.output, two.output], 1), whole.output);
    expectClose(two.cell, whole.cell);
  });

  it('gives the last state alone', () => {
    const last = lstmSequence(given, { states: 'last' });
    const all = lstmSequence(given);
    expect(last.output).toBeNull();
    expectClose(last.hidden, all.hidden);
    expectClose(last.cell, all.cell);
  });

  it('leaks nothing', () => {
    expectNoLeak(() => lstmSequence(given, { states: 'last' }));
    const projected = argumentsOf(sizes, 2);
    const lengths = tf.tensor1d([3, 1], 'int32');
    expectNoLeak(() => lstmSequence(given));
    expectNoLeak(() => lstmSequence({ ...projected, lengths }, { reverse: true }));
    expectNoLeak(() => tf.grad(input => tf.sum(lstmSequence({ ...projected, input, lengths }).cell))(projected.input));
  });

  it.each([
    ['input must be [batch, time, inputSize], expected [?, ?, 4], got [2, 3, 5].', { input: tf.zeros([2, 3, 5]) }],
    ['inputWeight must have 4 columns for each hidden unit, got [4, 21].', { inputWeight: tf.zeros([4, 21]) }],
    ['recurrentWeight must be [outputSize, gates], expected [5, 20]', { recurrentWeight: tf.zeros([4, 20]) }],
    ['recurrentWeight must be [outputSize, gates], expected [3, 20]', { projection: tf.zeros([5, 3]) }],
    ['bias must be [gates], expected [20], got [5].', { bias: tf.zeros([5]) }],
    [
      'projection must be [hiddenSize, outputSize], expected [5, ?], got [4, 3].',
      { projection: tf.zeros([4, 3]), recurrentWeight: tf.zeros([3, 20]) },
    ],
    ['initialHidden must be [batch, outputSize], expected [2, 5]', { initialHidden: tf.zeros([2, 4]) }],
    ['initialCell must be [batch, hiddenSize], expected [2, 5], got [3, 5].', { initialCell: tf.zeros([3, 5]) }],
    ['every length must be in 0 … 3, got 5 in row 0.', { lengths: tf.tensor1d([5, 3], 'int32') }],
  ] as const)('says: %s', (message, changes) => {
    expect(() => lstmSequence({ ...given, ...changes })).toThrow(`lstmSequence: ${message}`);
  });
});
