import { ArgumentError } from '@ostinato/core';
import { expectNoLeak } from '@ostinato/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { adamUpdate } from '../src/index.ts';
import { expectClose, random, vectorOf } from './plain.ts';

const given = {
  gradient: random([7], 'gradient'),
  firstMoment: random([7], 'first'),
  secondMoment: tf.square(random([7], 'second')),
  parameter: random([7], 'parameter'),
};
const options = {
  learningRate: 0.01,
  beta1: 0.9,
  beta2: 0.99,
  epsilon: 1e-8,
  firstCorrection: 0.3,
  secondCorrection: 0.2,
};

it.each([0, 0.1])('agrees with its definition: weight decay %d', weightDecay => {
  const { update, firstMoment, secondMoment } = adamUpdate(given, { ...options, weightDecay });
  const [g, m, v, p] = [given.gradient, given.firstMoment, given.secondMoment, given.parameter].map(vectorOf);
  const first = g!.map((x, i) => 0.9 * m![i]! + 0.1 * x);
  const second = g!.map((x, i) => 0.99 * v![i]! + 0.01 * x * x);
  expectClose(firstMoment, first);
  expectClose(secondMoment, second);
  expectClose(
    update,
    first.map((x, i) => -0.01 * (x / 0.3 / (Math.sqrt(second[i]! / 0.2) + 1e-8) + weightDecay * p![i]!)),
    1e-7,
  );
});

it('takes a first step of the learning rate against the sign of the gradient', () => {
  const gradient = tf.tensor2d([3, -0.02, 100, -7], [2, 2]);
  const zeros = tf.zerosLike(gradient);
  const first = { ...options, epsilon: 0, firstCorrection: 1 - 0.9, secondCorrection: 1 - 0.99 };
  const { update } = adamUpdate({ gradient, firstMoment: zeros, secondMoment: zeros }, first);
  expect(update.shape).toEqual([2, 2]);
  expectClose(update, [-0.01, 0.01, -0.01, 0.01], 1e-7);
});

it('changes none of its arguments, and leaks nothing', () => {
  const before = Object.values(given).map(tensor => tensor.dataSync().slice());
  expectNoLeak(() => adamUpdate(given, { ...options, weightDecay: 0.1 }));
  expect(Object.values(given).map(tensor => tensor.dataSync())).toEqual(before);
});

it('says what is wrong', () => {
  const call =
    (changes: object, changedOptions: object = {}) =>
    () =>
      adamUpdate({ ...given, ...changes }, { ...options, ...changedOptions });
  expect(call({ firstMoment: tf.zeros([6]) })).toThrow(
    'adamUpdate: firstMoment must be [axis0], expected [7], got [6].',
  );
  expect(call({ secondMoment: tf.zeros([7, 1]) })).toThrow('adamUpdate: secondMoment must be [axis0], expected [7]');
  expect(call({ parameter: tf.zeros([6]) }, { weightDecay: 0.1 })).toThrow('adamUpdate: parameter must be [axis0]');
  expect(call({ parameter: undefined }, { weightDecay: 0.1 })).toThrow('adamUpdate: weight decay needs the parameter');
  expect(call({}, { beta1: 1 })).toThrow(ArgumentError);
  expect(call({}, { firstCorrection: 0 })).toThrow(ArgumentError);
  expect(call({}, { learningRate: Number.NaN })).toThrow(ArgumentError);
});
