import { expectNoLeak, gradCheck } from '@ostinato/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { gelu } from '../src/index.ts';
import { expectClose, random } from './plain.ts';

const points = [-6, -3, -1, -0.5, 0, 0.5, 1, 3, 6];

it('is x Φ(x)', () => {
  // Φ from Python 3.11: statistics.NormalDist().cdf(x)
  const phi = [9.865876e-10, 0.00134989803, 0.15865525393, 0.30853753873, 0.5];
  const positive = phi.slice(0, 4).map(p => 1 - p);
  const cdf = [...phi, ...positive.reverse()];
  expectClose(
    gelu(tf.tensor1d(points)),
    points.map((x, i) => x * cdf[i]!),
    1e-6,
  );
});

it('has the approximation of the paper', () => {
  const approximate = (x: number): number =>
    0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
  expectClose(gelu(tf.tensor1d(points), { approximate: 'tanh' }), points.map(approximate), 1e-6);
});

it.each(['none', 'tanh'] as const)('has the gradient of differences: approximate %s', approximate => {
  gradCheck(x => gelu(x!, { approximate }), [random([3, 7], 'gelu', 2)]);
});

it('keeps the shape, is finite far out, and leaks nothing', () => {
  const x = tf.tensor3d([1e4, -1e4, 0, 1], [1, 2, 2]);
  for (const approximate of ['none', 'tanh'] as const) {
    const y = gelu(x, { approximate });
    expect(y.shape).toEqual([1, 2, 2]);
    expectClose(y, [1e4, 0, 0, 0.8413], 1e-4);
    expectNoLeak(() => gelu(x, { approximate }));
    expectNoLeak(() => tf.grad(input => tf.sum(gelu(input, { approximate })))(x));
  }
});

it('lists the approximations', () => {
  expect(() => gelu(tf.zeros([1]), { approximate: 'sigmoid' as 'tanh' })).toThrow(
    "gelu: unknown approximate, expected 'none' | 'tanh', got 'sigmoid'.",
  );
  expect(() => gelu(tf.zeros([1], 'int32'))).toThrow('gelu: input must have dtype float32, got int32.');
  expect(() => gelu({ input: tf.zeros([1]) } as never)).toThrow('gelu: input must be a tensor');
});
