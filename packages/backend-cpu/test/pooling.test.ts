// Pooling and its gradients against the stock CPU backend: odd sizes, strides, paddings, overlapping windows, NaN.
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import '../src/index.ts';
import { expectClose, on, tensor } from './support.ts';

const size = (max: number) => fc.integer({ min: 1, max });
const poolings = fc
  .record({
    batch: size(3),
    height: size(12),
    width: size(12),
    channels: fc.oneof(size(9), fc.constantFrom(15, 16, 17, 65, 130)),
    window: fc.tuple(size(4), size(4)),
    strides: fc.tuple(size(3), size(3)),
    padding: fc.constantFrom('same' as const, 'valid' as const),
  })
  .filter(({ height, width, window: [h, w], padding }) => padding === 'same' || (height >= h && width >= w));

const both = (body: () => tf.Tensor[]): void =>
  expectClose(on('ostinato-cpu', body), on('cpu', body), { absolute: 1e-6, relative: 1e-5 });

describe('pooling agrees with the stock kernels', { timeout: 120_000 }, () => {
  it.each([
    ['maxPool', tf.maxPool],
    ['avgPool', tf.avgPool],
  ])('%s and its gradient', (_, run) => {
    fc.assert(
      fc.property(poolings, ({ batch, height, width, channels, window, strides, padding }) => {
        both(() => {
          const x = tensor(1, [batch, height, width, channels]) as tf.Tensor4D;
          const pool = (input: tf.Tensor) => run(input as tf.Tensor4D, window, strides, padding);
          const output = pool(x);
          return [output, tf.grad(pool)(x, tensor(2, output.shape))];
        });
      }),
      { numRuns: 150 },
    );
  });

  it('when values are equal, NaN or −∞', () => {
    const odd = [1, 1, Number.NaN, Number.NEGATIVE_INFINITY, 0, -0, 2, Number.NaN];
    const values = Float32Array.from({ length: 6 * 6 * 5 }, (_, i) => odd[(i * 7 + (i >> 3)) % odd.length]!);
    both(() => {
      const x = tf.tensor4d(values, [1, 6, 6, 5]);
      const pool = (input: tf.Tensor) => tf.maxPool(input as tf.Tensor4D, 2, 1, 'same');
      return [pool(x), tf.grad(pool)(x)];
    });
    const nothing = tf.fill([1, 2, 2, 3], Number.NaN) as tf.Tensor4D;
    both(() => [
      tf.maxPool(nothing, 2, 2, 'valid'),
      tf.grad(x => tf.maxPool(x as tf.Tensor4D, 2, 2, 'valid'))(nothing),
    ]);
  });

  it('in one dimension, and with explicit padding', () => {
    both(() => [tf.pool(tensor(1, [2, 9, 5]) as tf.Tensor3D, 3, 'max', 'valid', 1, 2)]);
    both(() => [
      tf.maxPool(tensor(1, [2, 9, 8, 5]) as tf.Tensor4D, 3, 2, [
        [0, 0],
        [1, 1],
        [2, 0],
        [0, 0],
      ]),
    ]);
  });

  it('leaks no memory', () => {
    tf.setBackend('ostinato-cpu');
    const bytes = () => (tf.memory() as tf.MemoryInfo & { allocatedBytes: number }).allocatedBytes;
    const x = tensor(1, [2, 8, 9, 6]) as tf.Tensor4D;
    const run = () =>
      tf.tidy(() => void tf.grad(a => tf.maxPool(tf.avgPool(a as tf.Tensor4D, 2, 1, 'same'), 2, 2, 'same'))(x));
    run();
    const before = bytes();
    run();
    expect(bytes()).toBe(before);
  });
});
