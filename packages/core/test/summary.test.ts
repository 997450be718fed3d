import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { Linear, Module, summary, variable } from '../src/index.ts';

class Model extends Module {
  readonly table: tf.Variable = variable(tf.zeros([1000, 20]), false);
  readonly output: Linear = new Linear({ inputSize: 20, outputSize: 3 });
}

it('counts values, trainable ones and bytes', () => {
  const found = summary(new Model());
  expect(found.rows).toEqual([
    { path: 'table', shape: [1000, 20], dtype: 'float32', size: 20_000, trainable: false },
    { path: 'output.weight', shape: [20, 3], dtype: 'float32', size: 60, trainable: true },
    { path: 'output.bias', shape: [3], dtype: 'float32', size: 3, trainable: true },
  ]);
  expect([found.total, found.trainable, found.bytes]).toEqual([20_063, 63, 80_252]);
});

it('prints a table', () => {
  expect(String(summary(new Model()))).toBe(
    [
      'parameter      shape                  size',
      'table          [1000, 20]  20,000 (frozen)',
      'output.weight  [20, 3]                  60',
      'output.bias    [3]                       3',
      '20,063 values, 63 trainable, 0.1 MiB',
    ].join('\n'),
  );
});

it('of a module without parameters is empty', () => {
  class Nothing extends Module {}
  expect(summary(new Nothing())).toMatchObject({ rows: [], total: 0, bytes: 0 });
  expect(String(summary(new Nothing()))).toBe('parameter  shape  size\n0 values, 0 trainable, 0.0 MiB');
});
