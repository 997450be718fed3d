import { ArgumentError, ShapeError } from '@ostinato/core';
import { expectNoLeak, gradCheck } from '@ostinato/testing';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { layerNorm, rmsNorm } from '../src/index.ts';
import { expectClose, matrixOf, random, type Vector, vectorOf } from './plain.ts';

const input = random([4, 6], 'input', 2);
const gain = random([6], 'gain');
const bias = random([6], 'bias');

const mean = (v: Vector): number => v.reduce((sum, x) => sum + x, 0) / v.length;

describe('layerNorm', () => {
  const plain = (epsilon: number, scale = vectorOf(tf.ones([6])), shift = vectorOf(tf.zeros([6]))) =>
    matrixOf(input).map(row => {
      const centre = mean(row);
      const variance = mean(row.map(x => (x - centre) ** 2));
      return row.map((x, i) => ((x - centre) / Math.sqrt(variance + epsilon)) * scale[i]! + shift[i]!);
    });

  it('agrees with its definition, with or without gain and bias', () => {
    expectClose(layerNorm({ input }), plain(1e-5));
    expectClose(layerNorm({ input, gain }), plain(1e-5, vectorOf(gain)));
    expectClose(layerNorm({ input, bias }), plain(1e-5, undefined, vectorOf(bias)));
    expectClose(layerNorm({ input, gain, bias }, { epsilon: 0.1 }), plain(0.1, vectorOf(gain), vectorOf(bias)));
  });

  it('works on the last axis of any shape', () => {
    const cube = tf.reshape(input, [2, 2, 6]);
    expect(layerNorm({ input: cube }).shape).toEqual([2, 2, 6]);
    expectClose(layerNorm({ input: cube, gain, bias }), layerNorm({ input, gain, bias }).dataSync());
    expectClose(layerNorm({ input: tf.tensor1d([1, 3]) }, { epsilon: 0 }), [-1, 1]);
    expectClose(layerNorm({ input: tf.tensor2d([[5], [7]]), bias: tf.tensor1d([2]) }), [2, 2]);
  });

  it('has the gradients of differences', () => {
    gradCheck((x, g, b) => layerNorm({ input: x!, gain: g, bias: b }), [input, gain, bias]);
    gradCheck(x => layerNorm({ input: x! }), [input]);
  });

  it('leaks nothing', () => {
    expectNoLeak(() => layerNorm({ input, gain, bias }));
    expectNoLeak(() => tf.grads((x, g) => tf.sum(layerNorm({ input: x!, gain: g })))([input, gain]));
  });

  it('says what is wrong', () => {
    expect(() => layerNorm({ input, gain: bias.slice(0, 5) })).toThrow(
      'layerNorm: gain must be [width], expected [6], got [5].',
    );
    expect(() => layerNorm({ input, bias: tf.zeros([1, 6]) })).toThrow(ShapeError);
    expect(() => layerNorm({ input }, { epsilon: -1 })).toThrow(ArgumentError);
    expect(() => layerNorm({ input: tf.zeros([2, 6], 'int32') })).toThrow('input must have dtype float32, got int32.');
    expect(() => layerNorm({ input: tf.scalar(1) })).toThrow('layerNorm: input must be [..., width], got [].');
  });
});

describe('rmsNorm', () => {
  const plain = (epsilon: number, scale: Vector) =>
    matrixOf(input).map(row => {
      const root = Math.sqrt(mean(row.map(x => x * x)) + epsilon);
      return row.map((x, i) => (x / root) * scale[i]!);
    });

  it('agrees with its definition, with or without gain', () => {
    expectClose(rmsNorm({ input }), plain(1e-6, [1, 1, 1, 1, 1, 1]));
    expectClose(rmsNorm({ input, gain }, { epsilon: 0.1 }), plain(0.1, vectorOf(gain)));
    expectClose(rmsNorm({ input: tf.reshape(input, [2, 2, 6]), gain }), rmsNorm({ input, gain }).dataSync());
  });

  it('has the gradients of differences, and leaks nothing', () => {
    gradCheck((x, g) => rmsNorm({ input: x!, gain: g }), [input, gain]);
    gradCheck(x => rmsNorm({ input: x! }), [input]);
    expectNoLeak(() => rmsNorm({ input, gain }));
    expectNoLeak(() => tf.grads((x, g) => tf.sum(rmsNorm({ input: x!, gain: g })))([input, gain]));
  });

  it('says what is wrong', () => {
    expect(() => rmsNorm({ input, gain: tf.zeros([5]) })).toThrow(
      'rmsNorm: gain must be [width], expected [6], got [5].',
    );
    expect(() => rmsNorm({ input }, { epsilon: Number.NaN })).toThrow(ArgumentError);
    expect(() => rmsNorm({ input: tf.zeros([2, 6], 'int32') })).toThrow('input must have dtype float32, got int32.');
    expect(() => rmsNorm({ input: tf.scalar(1) })).toThrow('rmsNorm: input must be [..., width], got [].');
  });
});
