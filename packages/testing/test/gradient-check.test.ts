import { Rng } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { expectNoLeak, gradCheck } from '../src/index.ts';

const x = new Rng(1).normal([3, 4]);
const w = new Rng(2).normal([4, 2]);

/** x², with `factor` x as its gradient: right for 2 only. */
function square(input: tf.Tensor, factor: number, where = (_: tf.Tensor): tf.Tensor => tf.scalar(1)): tf.Tensor {
  return tf.customGrad((y: unknown) => ({
    value: tf.square(y as tf.Tensor),
    gradFunc: (dy: tf.Tensor) => tf.mul(dy, tf.mul(tf.mul(input, factor), where(input))),
  }))(input);
}

describe('gradCheck', () => {
  it('accepts right gradients of every input', () => {
    const { error, checked } = gradCheck((a, b) => tf.tanh(tf.matMul(a as tf.Tensor2D, b as tf.Tensor2D)), [x, w]);
    expect(checked).toBe(12 + 8);
    expect(error).toBeLessThan(1e-3);
    gradCheck(a => square(a!, 2), [x]);
  });

  it('adds several outputs, each with weights of its own', () => {
    gradCheck(a => [tf.sum(tf.square(a!)), tf.exp(a!)], [x]);
  });

  it('refuses a gradient that is wrong by 1%, and names the element', () => {
    expect(() => gradCheck(a => square(a!, 2.02), [x])).toThrow(
      /^gradCheck: the gradient must agree with differences to 0.002, got \d\.\d\de-\d at input 0, element \d+: analytic .+, numeric .+\.$/,
    );
  });

  it('finds a wrong element among many by random directions', () => {
    const many = new Rng(3).normal([40, 50]);
    expect(gradCheck(a => square(a!, 2), [many], { elements: 8 })).toMatchObject({ checked: 12 });
    const wrongRow = (): tf.Tensor => tf.concat([tf.fill([1, 50], 3), tf.ones([39, 50])]);
    expect(() => gradCheck(a => square(a!, 2, wrongRow), [many], { elements: 0 })).toThrow('input 0, direction');
  });

  it('refuses NaN', () => {
    expect(() => gradCheck(a => square(a!, Number.NaN), [x])).toThrow('Infinity at input 0');
  });

  it('can be given the weights of the outputs', () => {
    const cotangents = [tf.tensor1d([0, 1])];
    const body = (a: tf.Tensor): tf.Tensor => tf.mul(square(a, 3), tf.tensor1d([1, 0])); // wrong where it does not count
    expect(gradCheck(a => body(a!), [tf.tensor1d([1, 2])], { cotangents })).toMatchObject({ error: 0 });
  });

  it('takes large and small elements', () => {
    gradCheck(a => tf.square(a!), [tf.tensor1d([1e4, 1e-4, 0, -300])]);
  });

  it('leaks nothing', () => {
    expectNoLeak(() => void gradCheck(a => tf.square(a!), [x]));
    expectNoLeak(() => {
      expect(() => gradCheck(a => square(a!, 3), [x])).toThrow();
    });
  });

  it('says which option is wrong', () => {
    expect(() => gradCheck(a => a!, [x], { step: 0 })).toThrow('gradCheck: step must be a finite number > 0, got 0.');
  });
});
