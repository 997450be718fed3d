import { Linear, orthogonal, parameters, Rng, stopGradient, threefry, valueAndGrad } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';

it('smoke', () => {
  expect(threefry([0, 0], 0, 0)).toEqual([0x6b200159, 0x99ba4efe]);
  expect(threefry([0xffffffff, 0xffffffff], 0xffffffff, 0xffffffff)).toEqual([0x1cb996fc, 0xbb002be7]);
  expect(threefry([0x13198a2e, 0x03707344], 0x243f6a88, 0x85a308d3)).toEqual([0xc4923a9c, 0x483df7a0]);
  const layer = new Linear({ inputSize: 3, outputSize: 2 });
  const x = tf.ones([4, 3]);
  const n = tf.memory().numTensors;
  const { value, gradients, aux } = valueAndGrad(parameters(layer), () => {
    const y = layer.call(x);
    return { loss: tf.sum(tf.add(y, stopGradient(y))), aux: { y } };
  });
  expect(gradients.get('weight')!.arraySync()).toEqual([
    [4, 4],
    [4, 4],
    [4, 4],
  ]);
  tf.dispose([value, aux.y, ...gradients.values()]);
  expect(tf.memory().numTensors).toBe(n);
  expect(() =>
    valueAndGrad(parameters(layer), () => {
      const y = tf.square(layer.call(x));
      tf.exp(y);
      throw new Error('no');
    }),
  ).toThrow('no');
  expect(tf.memory().numTensors).toBe(n);
  const q = orthogonal()([6, 4], new Rng(1)) as tf.Tensor2D;
  tf.matMul(q, q, true).print();
});
