import { Rng, threefry } from '@ostinato/core';
import { expectNoLeak, gradCheck } from '@ostinato/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { dropout, dropoutMask } from '../src/index.ts';
import { expectClose, random } from './plain.ts';

const { key } = new Rng(3).split('dropout');

it('draws its mask from the words of Threefry, two elements a block', () => {
  const rate = 0.4;
  const mask = dropoutMask(7, { rate, key });
  const words = [0, 1, 2, 3].flatMap(j => threefry(key, j, 0x80000000)).slice(0, 7);
  expect([...mask]).toEqual(words.map(word => ((word >>> 8) / 2 ** 24 >= rate ? Math.fround(1 / (1 - rate)) : 0)));
  expect(dropoutMask(0, { rate, key }).length).toBe(0);
});

it.each([0.1, 0.5, 0.9])('drops a share of %d, and keeps the mean', rate => {
  const size = 20_000;
  const mask = dropoutMask(size, { rate, key });
  const dropped = mask.filter(x => x === 0).length / size;
  expect(Math.abs(dropped - rate)).toBeLessThan(4 * Math.sqrt((rate * (1 - rate)) / size));
});

it('is the mask times the input, the same for the same key', () => {
  const input = random([3, 5], 'input');
  const mask = tf.tensor2d(dropoutMask(15, { rate: 0.3, key }), [3, 5]);
  expectClose(dropout(input, { rate: 0.3, key }), tf.mul(input, mask));
  expect(dropout(input, { rate: 0.3, key }).dataSync()).toEqual(dropout(input, { rate: 0.3, key }).dataSync());
  const other = dropout(input, { rate: 0.3, key: new Rng(4).key });
  expect(other.dataSync()).not.toEqual(dropout(input, { rate: 0.3, key }).dataSync());
});

it('is the identity at rate 0, as a tensor of its own', () => {
  const input = random([4], 'input');
  const output = dropout(input, { rate: 0, key });
  expect(output.dataSync()).toEqual(input.dataSync());
  output.dispose();
  expect(input.isDisposed).toBe(false);
});

it('has the gradient of differences, and leaks nothing', () => {
  const input = random([3, 5], 'input');
  gradCheck(x => dropout(x!, { rate: 0.3, key }), [input]);
  expectNoLeak(() => dropout(input, { rate: 0.3, key }));
  expectNoLeak(() => tf.grad(x => tf.sum(dropout(x, { rate: 0.3, key })))(input));
});

it.each([-0.1, 1, Number.NaN])('turns a rate of %d down', rate => {
  expect(() => dropout(tf.zeros([1], 'int32'), { rate: 0.5, key })).toThrow('dropout: input must have dtype float32');
  expect(() => dropout(tf.zeros([1]), { rate, key })).toThrow('dropout: rate must be a finite number ≥ 0 < 1');
});
