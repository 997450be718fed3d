import { Linear } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { expectNoLeak } from '../src/index.ts';

it('disposes what is returned, however it is wrapped', async () => {
  const one = (): tf.Tensor => tf.ones([3]);
  const before = tf.memory().numTensors;
  expectNoLeak(one);
  expectNoLeak(() => [one(), { a: one(), b: new Map([['c', one()]]) }, null, 'text', new Float32Array(3)]);
  expectNoLeak(() => new Linear({ inputSize: 2, outputSize: 2 }));
  await expectNoLeak(async () => ({ a: one() }));
  expect(tf.memory().numTensors).toBe(before);
});

it('leaves objects of other classes alone', () => {
  class Cyclic {
    readonly self = this;
  }
  expectNoLeak(() => new Cyclic());
});

it('counts what is left behind', async () => {
  const kept: tf.Tensor[] = [];
  const leaking = (): undefined => {
    kept.push(tf.ones([5]));
  };
  const { numTensors, numBytes } = tf.memory();
  expect(() => expectNoLeak(leaking)).toThrow(
    `expectNoLeak: the number of tensors and bytes must be what it was, expected ${numTensors} tensors, ${numBytes} bytes, ` +
      `got ${numTensors + 1} tensors, ${numBytes + 20} bytes.`,
  );
  await expect(expectNoLeak(async () => leaking())).rejects.toThrow('expectNoLeak');
  tf.dispose(kept);
});

it('counts what was disposed and not made', () => {
  const mine = tf.ones([2]);
  expect(() => expectNoLeak(() => mine.dispose())).toThrow('expectNoLeak');
});

it('passes errors on', async () => {
  expect(() =>
    expectNoLeak(() => {
      throw new Error('mine');
    }),
  ).toThrow('mine');
  await expect(expectNoLeak(() => Promise.reject(new Error('later')))).rejects.toThrow('later');
});
