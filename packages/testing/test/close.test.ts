import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { allClose, engineTolerance, matchers } from '../src/index.ts';

it('measures against the largest wanted number, or 1', () => {
  expect(allClose([100, 2], [100, 1], 0.01)).toEqual({ close: true, error: 0.01, index: 1, got: 2, want: 1 });
  expect(allClose([0.5, 0.25], [0.5, 0.125], 0.12)).toMatchObject({ close: false, error: 0.125, index: 1 });
});

it('reads tensors, typed arrays and nested arrays', () => {
  const tensor = tf.tensor2d([
    [1, 2],
    [3, 4],
  ]);
  const nested = [
    [1, 2],
    [3, 4],
  ];
  for (const numbers of [tensor, nested, [tensor], Float32Array.of(1, 2, 3, 4), [new Int32Array([1, 2]), [3, [4]]]]) {
    expect(allClose(numbers, nested)).toMatchObject({ close: true, error: 0 });
  }
});

it('takes equal infinities and NaN with NaN for close, and nothing else with them', () => {
  expect(allClose([Infinity, -Infinity, NaN], [Infinity, -Infinity, NaN])).toMatchObject({ close: true, error: 0 });
  for (const [got, want] of [
    [NaN, 0],
    [0, NaN],
    [Infinity, 0],
    [0, Infinity],
    [Infinity, -Infinity],
  ] as const) {
    expect(allClose([0, got], [0, want], 1e9)).toMatchObject({ close: false, error: Infinity, index: 1 });
  }
});

it('refuses different shapes and counts', () => {
  expect(() => allClose(tf.zeros([2, 3]), tf.zeros([3, 2]))).toThrow(
    'allClose: both must have one shape, expected [3, 2], got [2, 3].',
  );
  expect(() => allClose([1, 2], [1])).toThrow('allClose: both must have as many numbers, expected 1, got 2.');
});

it('has a tolerance for the engine', () => {
  expect(engineTolerance()).toBe(1e-5);
  expect(allClose([1.000_02], [1]).close).toBe(false);
  expect(allClose([1.000_005], [1]).close).toBe(true);
});

it('is a matcher that says where and how far', () => {
  const { pass, message } = matchers.toBeAllClose([1, 2.5], [1, 2], 0.1);
  expect(pass).toBe(false);
  expect(message()).toBe(
    'expected all numbers to be within 0.1, relative to the largest; at 1: got 2.5, want 2 (error 2.50e-1)',
  );
  expect(matchers.toBeAllClose(tf.tensor1d([1]), [1]).pass).toBe(true);
  expect.extend(matchers);
  const extended = expect as unknown as (got: unknown) => { not: { toBeAllClose(want: unknown): void } };
  extended([1]).not.toBeAllClose([2]);
});
