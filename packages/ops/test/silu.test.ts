import { expectNoLeak, gradCheck } from '@ostinato/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { silu } from '../src/index.ts';
import { expectClose, random, sigmoid } from './plain.ts';

it('is x σ(x)', () => {
  const points = [-30, -3, -1, 0, 0.5, 1, 6, 100];
  expectClose(
    silu(tf.tensor1d(points)),
    points.map(x => x * sigmoid(x)),
    1e-6,
  );
});

it('has the gradient of differences, keeps the shape and leaks nothing', () => {
  const input = random([3, 1, 7], 'silu', 2);
  expect(silu(input).shape).toEqual([3, 1, 7]);
  gradCheck(x => silu(x!), [input]);
  expectNoLeak(() => silu(input));
  expectNoLeak(() => tf.grad(x => tf.sum(silu(x)))(input));
});

it('is finite far out, and turns another dtype down', () => {
  expectClose(silu(tf.tensor1d([1e4, -1e4])), [1e4, 0]);
  expect(() => silu(tf.zeros([1], 'int32'))).toThrow('silu: input must have dtype float32, got int32.');
});
