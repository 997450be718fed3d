import { allClose, expectNoLeak } from '@ostinato/testing';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { ArgumentError, LayerNorm, parameters, RMSNorm, ShapeError } from '../src/index.ts';

// The arithmetic of the functions is tested in packages/ops.

describe('LayerNorm', () => {
  it('normalises every row, then scales and shifts it', () => {
    const layer = new LayerNorm({ size: 4, epsilon: 0 });
    layer.gain!.assign(tf.tensor1d([1, 2, 3, 4]));
    layer.bias!.assign(tf.tensor1d([0, 0, 0, 10]));
    // Row 1 2 3 4: mean 2.5, variance 1.25; (x − 2.5) / √1.25 = −1.341641, −0.447214, …
    const output = layer.call(tf.tensor3d([1, 2, 3, 4, 40, 30, 20, 10], [1, 2, 4]));
    expect(output.shape).toEqual([1, 2, 4]);
    const want = [-1.341641, -0.894427, 1.341641, 15.366563, 1.341641, 0.894427, -1.341641, 4.633437];
    expect(allClose(output, want, 1e-6)).toMatchObject({ close: true });
  });

  it('starts with gain 1 and bias 0, each of which may be left out', () => {
    const layer = new LayerNorm({ size: 3 });
    expect([...layer.gain!.dataSync(), ...layer.bias!.dataSync(), layer.epsilon]).toEqual([1, 1, 1, 0, 0, 0, 1e-5]);
    expect([...parameters(new LayerNorm({ size: 3, bias: false })).keys()]).toEqual(['gain']);
    expect([...parameters(new LayerNorm({ size: 3, gain: false })).keys()]).toEqual(['bias']);
    const bare = new LayerNorm({ size: 2, gain: false, bias: false, epsilon: 0 });
    expect([...bare.call(tf.tensor2d([[1, 3]])).dataSync()]).toEqual([-1, 1]);
  });

  it('leaks nothing, and turns bad sizes and inputs down', () => {
    expectNoLeak(() => new LayerNorm({ size: 3 }));
    const layer = new LayerNorm({ size: 3 });
    const input = tf.ones([2, 3]);
    expectNoLeak(() => layer.call(input));
    expect(() => new LayerNorm({ size: 0 })).toThrow(ArgumentError);
    expect(() => new LayerNorm({ size: 3, epsilon: -1 })).toThrow(ArgumentError);
    expect(() => layer.call(tf.zeros([2, 4]))).toThrow(ShapeError);
    const bare = new LayerNorm({ size: 3, gain: false, bias: false });
    expect(() => bare.call(tf.zeros([2, 4]))).toThrow(
      'LayerNorm.call: input must be [axis0, size], expected [?, 3], got [2, 4].',
    );
  });
});

describe('RMSNorm', () => {
  it('divides every row by its root mean square, then scales it', () => {
    const layer = new RMSNorm({ size: 2, epsilon: 0 });
    layer.gain.assign(tf.tensor1d([1, 10]));
    const root = Math.sqrt((9 + 16) / 2);
    const output = layer.call(tf.tensor2d([[3, 4]]));
    expect(allClose(output, [3 / root, 40 / root], 1e-6)).toMatchObject({ close: true });
  });

  it('leaks nothing, and turns bad sizes and inputs down', () => {
    expectNoLeak(() => new RMSNorm({ size: 3 }));
    const layer = new RMSNorm({ size: 3 });
    const input = tf.ones([2, 3]);
    expectNoLeak(() => layer.call(input));
    expect([...parameters(layer).keys(), layer.epsilon]).toEqual(['gain', 1e-6]);
    expect(() => new RMSNorm({ size: 2.5 })).toThrow(ArgumentError);
    expect(() => layer.call(tf.zeros([2, 4]))).toThrow(
      'RMSNorm.call: input must be [axis0, size], expected [?, 3], got [2, 4].',
    );
  });
});
