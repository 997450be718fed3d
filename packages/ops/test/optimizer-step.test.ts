import { ArgumentError } from '@ostinato/core';
import { expectNoLeak } from '@ostinato/testing';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import {
  euclideanNorm,
  type OptimizerStepArguments,
  optimizerStep,
  optimizerStepNorm,
  optimizerUpdate,
} from '../src/index.ts';
import { expectClose, random, vectorOf } from './plain.ts';

const gradient = random([7], 'gradient');
const parameter = random([7], 'parameter');
const slots = { firstMoment: random([7], 'first'), secondMoment: tf.square(random([7], 'second')) };
const rule = {
  kind: 'adam',
  beta1: 0.9,
  beta2: 0.99,
  epsilon: 1e-8,
  momentFactor: 1 / 0.3,
  squareFactor: 1 / 0.2,
} as const;
const adam: OptimizerStepArguments = { gradient, parameter, slots, rule, learningRate: 0.01 };

describe('optimizerUpdate', () => {
  it.each([0, 0.1])('agrees with the definition of Adam: weight decay %d', weightDecay => {
    const { update, slots: next } = optimizerUpdate({ ...adam, weightDecay });
    const [g, p, m, v] = [gradient, parameter, slots.firstMoment, slots.secondMoment].map(vectorOf);
    const first = g!.map((x, i) => 0.9 * m![i]! + 0.1 * x);
    const second = g!.map((x, i) => 0.99 * v![i]! + 0.01 * x * x);
    expectClose(next['firstMoment']!, first);
    expectClose(next['secondMoment']!, second);
    expectClose(
      update,
      first.map((x, i) => -0.01 * (x / 0.3 / (Math.sqrt(second[i]! / 0.2) + 1e-8) + weightDecay * p![i]!)),
      1e-7,
    );
  });

  it('takes a first step of the learning rate against the sign of the gradient', () => {
    const steep = tf.tensor2d([3, -0.02, 100, -7], [2, 2]);
    const zeros = tf.zerosLike(steep);
    const first = { ...rule, epsilon: 0, momentFactor: 1 / 0.1, squareFactor: 1 / 0.01 };
    const moments = { firstMoment: zeros, secondMoment: zeros };
    const { update } = optimizerUpdate({ ...adam, gradient: steep, parameter: zeros, slots: moments, rule: first });
    expect(update.shape).toEqual([2, 2]);
    expectClose(update, [-0.01, 0.01, -0.01, 0.01], 1e-7);
  });

  it('scales, limits and decays the gradient, in this order', () => {
    const { update } = optimizerUpdate({
      gradient: tf.tensor1d([1, 10]),
      parameter: tf.tensor1d([2, 4]),
      slots: {},
      rule: { kind: 'descent' },
      ...{ learningRate: 0.1, weightDecay: 0.5, scale: tf.scalar(0.5), limit: 3, gradientDecay: 0.25 },
    });
    expectClose(update, [-0.1 * (0.5 + 0.5 + 1), -0.1 * (3 + 1 + 2)]);
  });

  it('changes none of its arguments, and leaks nothing', () => {
    const given = [gradient, parameter, ...Object.values(slots)];
    const before = given.map(tensor => tensor.dataSync().slice());
    expectNoLeak(() => optimizerUpdate({ ...adam, weightDecay: 0.1 }));
    expect(given.map(tensor => tensor.dataSync())).toEqual(before);
  });
});

describe('optimizerStep', () => {
  const plain = { ...adam, slots: {}, rule: { kind: 'descent' } } as const;

  it('adds the update to each parameter, and leaks nothing', () =>
    expectNoLeak(() =>
      tf.tidy(() => {
        const [made, simple] = optimizerStep([adam, plain]);
        const { update, slots: next } = optimizerUpdate(adam);
        expectClose(made!.parameter, vectorOf(tf.add(parameter, update)), 1e-7);
        expectClose(made!.slots['firstMoment']!, vectorOf(next['firstMoment']!), 1e-7);
        expectClose(simple!.parameter, vectorOf(tf.sub(parameter, tf.mul(gradient, 0.01))), 1e-7);
        expect(simple!.slots).toEqual({});
        expect(optimizerStep([])).toEqual([]);
      }),
    ));

  it('is as long as its norm says', () => {
    const updates = [adam, plain].map(step => vectorOf(optimizerUpdate(step).update));
    expectNoLeak(() => optimizerStepNorm([adam, plain]));
    expectClose(optimizerStepNorm([adam, plain]), [Math.hypot(...updates.flat())], 1e-7);
    expectClose(optimizerStepNorm([]), [0]);
  });
});

it('euclideanNorm is the length of all elements together', () => {
  expectClose(euclideanNorm([tf.tensor1d([3, 0]), tf.tensor2d([[4], [12]])]), [13]);
  expectClose(euclideanNorm([]), [0]);
  expect(() => euclideanNorm([tf.tensor1d([1], 'int32')])).toThrow('euclideanNorm: tensor must have dtype float32');
});

it('says what is wrong', () => {
  const call = (changes: object) => () => optimizerStep([{ ...adam, ...changes }]);
  expect(call({ gradient: tf.zeros([6]) })).toThrow('optimizerStep: gradient must be [axis0], expected [7], got [6].');
  const wide = { ...slots, secondMoment: tf.zeros([7, 1]) };
  expect(call({ slots: wide })).toThrow('optimizerStep: the slot secondMoment must be [axis0], expected [7]');
  expect(call({ slots: { firstMoment: slots.firstMoment } })).toThrow("the rule 'adam' needs the slot secondMoment");
  expect(call({ slots: { ...slots, mean: gradient } })).toThrow("unknown slot of the rule 'adam'");
  expect(call({ scale: gradient })).toThrow('optimizerStep: scale must be');
  expect(call({ rule: { kind: 'best' } })).toThrow("optimizerStep: unknown rule, expected 'descent' | 'momentum'");
  expect(call({ rule: { ...rule, beta1: 1.5 } })).toThrow(ArgumentError);
  expect(call({ learningRate: Number.NaN })).toThrow(ArgumentError);
  expect(call({ limit: 0 })).toThrow(ArgumentError);
  expect(call({ weightDecay: -1 })).toThrow(ArgumentError);
});
