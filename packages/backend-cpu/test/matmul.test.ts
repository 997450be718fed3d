// Matrix products against the stock CPU backend: every transposition, odd sizes, broadcast batches, fused bias and activation.
import { linear } from '@ostinato/core';
import { expectNoLeak } from '@ostinato/testing';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import '../src/index.ts';
import { expectClose, on, tensor } from './support.ts';

const sizes = fc.record({
  m: fc.integer({ min: 1, max: 40 }),
  k: fc.integer({ min: 1, max: 40 }),
  n: fc.integer({ min: 1, max: 40 }),
  transposeA: fc.boolean(),
  transposeB: fc.boolean(),
  batchA: fc.constantFrom<number[]>([], [1], [3], [2, 1], [2, 3]),
  batchB: fc.constantFrom<number[]>([], [1], [3], [1, 3], [2, 1]),
  activation: fc.constantFrom('linear', 'relu', 'relu6', 'sigmoid', 'elu', 'leakyrelu', 'prelu'),
  biasShape: fc.constantFrom('none', 'one', 'row'),
});

describe('matMul', () => {
  it('matches the stock backend', () => {
    fc.assert(
      fc.property(sizes, ({ m, k, n, transposeA, transposeB, batchA, batchB }) => {
        const a = () => tensor(1, [...batchA, ...(transposeA ? [k, m] : [m, k])]);
        const b = () => tensor(2, [...batchB, ...(transposeB ? [n, k] : [k, n])]);
        const ours = on('ostinato-cpu', () => [tf.matMul(a(), b(), transposeA, transposeB)]);
        // The stock backend pairs the matrices of [3] × [2, 1] wrongly, so its operands get the whole batch.
        const stock = on('cpu', () => {
          const batch = tf.broadcast_util.assertAndGetBroadcastShape(batchA, batchB);
          const whole = (x: tf.Tensor) => tf.broadcastTo(x, [...batch, ...x.shape.slice(-2)]);
          return [tf.matMul(whole(a()), whole(b()), transposeA, transposeB)];
        });
        expectClose(ours, stock);
      }),
      { numRuns: 200 },
    );
  });

  it.each([
    [1, 700, 1100],
    [97, 385, 9],
    [7, 769, 1030],
    [200, 1, 200],
    [1, 1, 1],
    [1200, 500, 1],
    [3, 500, 17],
  ])('crosses block borders: %i × %i × %i', (m, k, n) => {
    for (const [transposeA, transposeB] of [
      [false, false],
      [false, true],
      [true, false],
      [true, true],
    ]) {
      const shapes = [transposeA ? [k, m] : [m, k], transposeB ? [n, k] : [k, n]];
      const product = () => [tf.matMul(tensor(1, shapes[0]!), tensor(2, shapes[1]!), transposeA, transposeB)];
      expectClose(on('ostinato-cpu', product), on('cpu', product), { absolute: 2e-4, relative: 1e-4 });
    }
  });

  it('fuses bias and activation', () => {
    fc.assert(
      fc.property(sizes, ({ m, k, n, transposeA, transposeB, activation, biasShape }) => {
        const shapes = { none: undefined, one: [1], row: [n] };
        const bias = shapes[biasShape as keyof typeof shapes];
        const product = () => [
          tf.fused.matMul({
            ...{ a: tensor(1, transposeA ? [k, m] : [m, k]), b: tensor(2, transposeB ? [n, k] : [k, n]) },
            ...{ transposeA, transposeB, activation: activation as tf.fused.Activation, leakyreluAlpha: 0.3 },
            ...(bias ? { bias: tensor(3, bias) } : {}),
            ...(activation === 'prelu' ? { preluActivationWeights: tensor(4, [n]) } : {}),
          }),
        ];
        expectClose(on('ostinato-cpu', product), on('cpu', product));
      }),
      { numRuns: 150 },
    );
  });

  it('has the gradients of the stock backend', () => {
    const gradients = () => {
      const f = (a: tf.Tensor, b: tf.Tensor, c: tf.Tensor) =>
        tf.sum(tf.square(tf.fused.matMul({ a: a as tf.Tensor2D, b: b as tf.Tensor2D, bias: c, activation: 'relu' })));
      return tf.grads(f)([tensor(1, [7, 13]), tensor(2, [13, 5]), tensor(3, [5])]);
    };
    expectClose(on('ostinato-cpu', gradients), on('cpu', gradients), { absolute: 1e-4 });
  });

  it('multiplies nothing', () => {
    const product = () => [
      tf.matMul(tf.zeros([3, 0]), tf.zeros([0, 2])),
      tf.matMul(tf.zeros([0, 4]), tf.zeros([4, 2])),
    ];
    expectClose(on('ostinato-cpu', product), on('cpu', product));
  });

  it('works on int32 and bool as the stock backend does', () => {
    const product = () => [tf.matMul(tf.tensor2d([[1, 2]], [1, 2], 'int32'), tf.tensor2d([[3], [4]], [2, 1], 'int32'))];
    expectClose(on('ostinato-cpu', product), on('cpu', product));
  });

  it('refuses inner sizes that differ', () => {
    expect(() => on('ostinato-cpu', () => [tf.matMul(tf.zeros([2, 3]), tf.zeros([4, 2]))])).toThrow(
      /inner shapes|inner dimensions/i,
    );
  });
});

describe('OstinatoLinear', () => {
  const cases = fc.record({
    leading: fc.constantFrom<number[]>([], [1], [7], [3, 5], [2, 1, 4], [0], [2, 0]),
    inputs: fc.integer({ min: 0, max: 40 }),
    outputs: fc.integer({ min: 0, max: 40 }),
    hasBias: fc.boolean(),
  });

  it('is the stock matMul over the last axis, with its gradients of the first and second order', () => {
    fc.assert(
      fc.property(cases, ({ leading, inputs, outputs, hasBias }) => {
        const all = () => {
          const given = [tensor(1, [...leading, inputs]), tensor(2, [inputs, outputs])];
          if (hasBias) given.push(tensor(3, [outputs]));
          const loss = (...[x, w, b]: tf.Tensor[]) => tf.sum(tf.square(linear(x!, w!, b)));
          const slope = (x: tf.Tensor) => tf.sum(tf.square(tf.grad(y => loss(y, ...given.slice(1)))(x)));
          return [linear(given[0]!, given[1]!, given[2]), ...tf.grads(loss)(given), tf.grad(slope)(given[0]!)];
        };
        expectClose(on('ostinato-cpu', all), on('cpu', all), { absolute: 2e-3, relative: 1e-4 });
      }),
      { numRuns: 100 },
    );
  });

  it('computes the gradient of what is asked for alone, and leaks nothing', async () => {
    const before = tf.getBackend();
    tf.setBackend('ostinato-cpu');
    const [x, w, b] = [tensor(1, [2, 3, 4]), tensor(2, [4, 5]), tensor(3, [5])];
    const { kernelNames } = await tf.profile(() => tf.tidy(() => tf.grad(c => tf.sum(linear(x, w, c)))(b)));
    expect(kernelNames).not.toContain('BatchMatMul');
    expectNoLeak(() => linear(x, w, b));
    expectNoLeak(() => linear(x, w));
    expectNoLeak(() => tf.grads((...[a, c, d]) => tf.sum(linear(a!, c!, d)))([x, w, b]));
    tf.dispose([x, w, b]);
    tf.setBackend(before);
  });
});
