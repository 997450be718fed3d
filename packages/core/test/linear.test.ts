import { expectNoLeak, gradCheck } from '@ostinato/testing';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import {
  ArgumentError,
  Linear,
  type LinearOptions,
  linear,
  ones,
  parameters,
  Rng,
  ShapeError,
  variable,
  zeros,
} from '../src/index.ts';

describe('Linear', () => {
  it('is x W + b over the last axis', () => {
    const layer = new Linear({ inputSize: 3, outputSize: 2 });
    layer.weight.assign(tf.tensor2d([1, 2, 3, 4, 5, 6], [3, 2]));
    layer.bias!.assign(tf.tensor1d([10, 20]));
    const output = layer.call(tf.tensor3d([1, 0, 0, 0, 1, 0, 1, 1, 1, -1, 0, 2], [2, 2, 3]));
    expect(output.shape).toEqual([2, 2, 2]);
    expect([...output.dataSync()]).toEqual([11, 22, 13, 24, 19, 32, 19, 30]);
    expect([...layer.call(tf.tensor1d([1, 1, 1])).dataSync()]).toEqual([19, 32]);
    layer.dispose();
  });

  it('may have no bias', () => {
    const layer = new Linear({ inputSize: 2, outputSize: 2, bias: false, weightInitializer: ones });
    expect(layer.bias).toBeNull();
    expect([...parameters(layer).keys()]).toEqual(['weight']);
    expect([...layer.call(tf.tensor2d([[2, 3]])).dataSync()]).toEqual([5, 5]);
  });

  it("starts as PyTorch's: uniform within 1/√inputSize, weight and bias", () => {
    const { weight, bias } = new Linear({ inputSize: 25, outputSize: 400, rng: new Rng(4) });
    for (const parameter of [weight, bias!]) {
      const values = parameter.dataSync<'float32'>();
      const largest = values.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
      expect(largest).toBeLessThanOrEqual(Math.fround(0.2));
      expect(largest).toBeGreaterThan(0.19);
    }
    expect(weight.dataSync().slice(0, 5)).not.toEqual(bias!.dataSync().slice(0, 5));
  });

  it('starts the same for the same seed, and draws nothing from the stream', () => {
    const rng = new Rng(1);
    const [first, second] = [0, 1].map(() => new Linear({ inputSize: 2, outputSize: 2, rng }));
    expect(first!.weight.dataSync()).toEqual(second!.weight.dataSync());
    const other = new Linear({ inputSize: 2, outputSize: 2, rng: new Rng(2) });
    expect(first!.weight.dataSync()).not.toEqual(other.weight.dataSync());
  });

  it('leaks nothing', () => {
    expectNoLeak(() => new Linear({ inputSize: 3, outputSize: 2 }));
    const layer = new Linear({ inputSize: 3, outputSize: 2, biasInitializer: zeros });
    const input = tf.ones([4, 3]);
    expectNoLeak(() => layer.call(input));
  });

  it.each<[string, Partial<LinearOptions>]>([
    ['a bias [1]', { biasInitializer: () => tf.zeros([1]) }],
    ['a bias [2, 3]', { biasInitializer: () => tf.zeros([2, 3]) }],
    ['an int32 weight', { weightInitializer: shape => tf.zeros([...shape], 'int32') }],
    ['a weight of rank 1', { weightInitializer: () => tf.zeros([6]) }],
  ])('turns an initializer down that returns %s, and leaks nothing', (_, initializer) => {
    expectNoLeak(() => {
      expect(() => new Linear({ inputSize: 3, outputSize: 2, ...initializer })).toThrow(ShapeError);
    });
  });

  it('leaks nothing when an initializer throws', () => {
    const biasInitializer = (): never => {
      throw new RangeError('no');
    };
    expectNoLeak(() => {
      expect(() => new Linear({ inputSize: 3, outputSize: 2, biasInitializer })).toThrow(RangeError);
    });
  });

  it('names the initializer that returns another shape', () => {
    expect(() => new Linear({ inputSize: 3, outputSize: 2, biasInitializer: () => tf.zeros([1]) })).toThrow(
      'Linear.bias: the initializer must return the shape that it is given, expected float32 [2], got float32 [1].',
    );
  });

  it('turns bad sizes and inputs down', () => {
    expect(() => new Linear({ inputSize: 0, outputSize: 2 })).toThrow(ArgumentError);
    expect(() => new Linear({ inputSize: 3, outputSize: 1.5 })).toThrow(
      'Linear: outputSize must be an integer ≥ 1, got 1.5.',
    );
    const layer = new Linear({ inputSize: 3, outputSize: 2 });
    expect(() => layer.call(tf.zeros([2, 4]))).toThrow(ShapeError);
    expect(() => layer.call(tf.zeros([2, 4]))).toThrow(
      'Linear.call: input must be [axis0, inputSize], expected [?, 3], got [2, 4].',
    );
    expect(() => layer.call(tf.scalar(1))).toThrow('expected [3], got [].');
    expect(() => layer.call(tf.zeros([2, 3], 'int32'))).toThrow('input must have dtype float32, got int32.');
    expect(() => layer.call([[1, 2, 3]] as never)).toThrow(
      'Linear.call: input must be a tensor [..., inputSize], got an array. Make one of numbers with tf.tensor.',
    );
    expect(() => layer.call(undefined as never)).toThrow('input must be a tensor [..., inputSize], got undefined.');
  });
});

it('linear has the right gradients', () => {
  const rng = new Rng(2);
  const inputs = [rng.normal([2, 3, 4]), rng.normal([4, 5]), rng.normal([5])];
  gradCheck((input, weight, bias) => linear(input!, weight!, bias), inputs);
  gradCheck((input, weight) => linear(input!, weight!), inputs.slice(0, 2));
});

it('variable takes its first value over', () => {
  expectNoLeak(() => {
    const initial = tf.tensor1d([1, 2]);
    const frozen = variable(initial, false);
    expect([initial.isDisposed, frozen.trainable]).toEqual([true, false]);
    expect([...frozen.dataSync()]).toEqual([1, 2]);
    return frozen;
  });
});

it.each([
  ['a bias [1]', tf.zeros([3, 2]), tf.zeros([1])],
  ['a bias of rank 2', tf.zeros([3, 2]), tf.zeros([2, 2])],
  ['an int32 weight', tf.zeros([3, 2], 'int32'), null],
  ['a weight of rank 1', tf.zeros([3]), null],
])('linear turns %s down', (_, weight, bias) => {
  expect(() => linear(tf.zeros([4, 3]), weight, bias)).toThrow(ShapeError);
});
