import { expectNoLeak } from '@ostinato/testing';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { ArgumentError, Dropout, parameters, Rng, ShapeError } from '../src/index.ts';

// The mask itself is tested in packages/ops.

describe('Dropout', () => {
  const input = tf.tensor3d(
    Array.from({ length: 60 }, (_, i) => i + 1),
    [2, 10, 3],
  );
  const training = { training: true, rng: new Rng(1) };

  it('is the identity when it does not train, or drops nothing', () => {
    for (const options of [undefined, {}, { training: false, rng: new Rng(1) }]) {
      expect(new Dropout({ rate: 0.9 }).call(input, options).dataSync()).toEqual(input.dataSync());
    }
    expect(new Dropout({ rate: 0 }).call(input, { training: true }).dataSync()).toEqual(input.dataSync());
  });

  it('returns a tensor of its own, which may be disposed', () => {
    new Dropout({ rate: 0.5 }).call(input).dispose();
    expect(input.isDisposed).toBe(false);
  });

  it('zeroes or scales by 1 / (1 − rate), the same for the same stream', () => {
    const layer = new Dropout({ rate: 0.25 });
    const output = layer.call(input, training).dataSync();
    const factors = Array.from(output, (y, i) => (y / (i + 1)).toFixed(4));
    expect(new Set(factors)).toEqual(new Set(['0.0000', '1.3333']));
    expect(layer.call(input, training).dataSync()).toEqual(output);
    expect(layer.call(input, { training: true, rng: new Rng(2) }).dataSync()).not.toEqual(output);
    expect(parameters(layer).size).toBe(0);
  });

  it('draws one mask for all time steps when variational', () => {
    const output = new Dropout({ rate: 0.5, variational: true }).call(tf.ones([4, 10, 6]), training);
    const steps = tf.unstack(output, 1).map(step => [...step.dataSync()]);
    for (const step of steps) expect(step).toEqual(steps[0]);
    expect(new Set(steps[0])).toEqual(new Set([0, 2]));
    expect(() => new Dropout({ rate: 0.5, variational: true }).call(tf.ones([4, 6]), training)).toThrow(
      'Dropout.call: input must be [batch, time, features], expected [?, ?, ?], got [4, 6].',
    );
    expect(() => new Dropout({ rate: 0.5, variational: true }).call(tf.ones([4]), training)).toThrow(ShapeError);
  });

  it('leaks nothing', () => {
    for (const variational of [false, true]) {
      expectNoLeak(() => new Dropout({ rate: 0.5, variational }).call(input, training));
      expectNoLeak(() => new Dropout({ rate: 0.5, variational }).call(input));
    }
  });

  it('says what is wrong', () => {
    for (const variational of [false, true]) {
      const integers = tf.ones([1, 2, 3], 'int32');
      expect(() => new Dropout({ rate: 0.5, variational }).call(integers, training)).toThrow(
        'input must have dtype float32, got int32.',
      );
    }
    for (const rate of [-0.1, 1, Number.NaN]) expect(() => new Dropout({ rate })).toThrow(ArgumentError);
    expect(() => new Dropout({ rate: 0.5 }).call(input, { training: true })).toThrow(
      'Dropout.call: training needs an rng, got none. Pass { training: true, rng: rng.split(step) }.',
    );
  });
});
