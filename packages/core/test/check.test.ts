import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { ArgumentError, checkChoice, checkNumber, checkShape, ShapeError } from '../src/index.ts';

describe('checkShape', () => {
  const axes = { batch: null, time: null, inputSize: 256 };

  it('accepts what fits', () => {
    checkShape('f', 'input', { shape: [4, 100, 256] }, axes);
    checkShape('f', 'input', tf.zeros([1, 1, 256]), axes, 'float32');
    checkShape('f', 'loss', tf.scalar(1), {});
  });

  it('names the axes and both shapes', () => {
    expect(() => checkShape('LSTM.call', 'input', { shape: [4, 100, 128] }, axes)).toThrow(
      new ShapeError({
        where: 'LSTM.call',
        rule: 'input must be [batch, time, inputSize]',
        expected: '[?, ?, 256]',
        got: '[4, 100, 128]',
      }),
    );
    expect(() => checkShape('f', 'input', { shape: [256] }, axes)).toThrow('expected [?, ?, 256], got [256].');
  });

  it('checks the dtype', () => {
    expect(() => checkShape('f', 'ids', tf.zeros([3]), { rows: 3 }, 'int32')).toThrow(
      'f: ids must have dtype int32, got float32.',
    );
  });
});

describe('checkNumber', () => {
  it('accepts the edges of closed ranges only', () => {
    checkNumber('f', 'rate', 0, { min: 0, below: 1 });
    checkNumber('f', 'rate', 1, { above: 0, max: 1 });
    expect(() => checkNumber('f', 'rate', 1, { min: 0, below: 1 })).toThrow(
      'f: rate must be a finite number ≥ 0 < 1, got 1.',
    );
    expect(() => checkNumber('f', 'rate', 0, { above: 0, max: 1 })).toThrow('> 0 ≤ 1, got 0.');
  });

  it.each([Number.NaN, Infinity, -Infinity])('turns %s down', value => {
    expect(() => checkNumber('f', 'rate', value)).toThrow(ArgumentError);
  });

  it('turns fractions down where integers are asked for', () => {
    checkNumber('f', 'size', 3, { integer: true });
    expect(() => checkNumber('f', 'size', 2.5, { integer: true, min: 1 })).toThrow(
      'f: size must be an integer ≥ 1, got 2.5.',
    );
  });
});

it('checkChoice shows the value and every choice', () => {
  checkChoice('f', 'activation', 'tanh', ['tanh', 'relu']);
  expect(() => checkChoice('f', 'activation', 'selu', ['tanh', 'relu'])).toThrow(
    "f: unknown activation, expected 'tanh' | 'relu', got 'selu'.",
  );
});

it('says that a text is no number', () => {
  expect(() => checkNumber('adam', 'learningRate', '0.1' as unknown as number, { min: 0 })).toThrow(
    'adam: learningRate must be a finite number ≥ 0, got the string "0.1".',
  );
});
