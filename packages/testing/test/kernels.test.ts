import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { countKernels } from '../src/index.ts';

it('names the kernels of a function in order', async () => {
  const a = tf.ones([2, 2]);
  expect(await countKernels(() => tf.tidy(() => tf.tanh(tf.add(a, a))))).toEqual({ total: 2, names: ['Add', 'Tanh'] });
});

it('counts the backward pass, and not the wrapper of tf.customGrad', async () => {
  const double = tf.customGrad((x: unknown) => ({
    value: tf.mul(x as tf.Tensor, 2),
    gradFunc: (dy: tf.Tensor) => tf.mul(dy, 2),
  }));
  const x = tf.scalar(3);
  const { names } = await countKernels(() => tf.grad(y => double(y))(x));
  expect(names.filter(name => name === 'Multiply').length).toBe(2);
  expect(names).not.toContain('');
});

it('waits for promises and disposes what they give', async () => {
  const before = tf.memory().numTensors;
  const a = tf.ones([2]);
  const { total } = await countKernels(async () => {
    await Promise.resolve();
    return { b: tf.exp(a) };
  });
  expect(total).toBe(1);
  a.dispose();
  expect(tf.memory().numTensors).toBe(before);
});

it('stops profiling after a throw', async () => {
  await expect(
    countKernels(() => {
      throw new Error('mine');
    }),
  ).rejects.toThrow('mine');
  expect((tf.engine() as unknown as { state: { profiling: boolean } }).state.profiling).toBe(false);
});
