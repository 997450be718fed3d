import { expectNoLeak, gradCheck } from '@ostinato/testing';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { embeddingLookup } from '../src/index.ts';
import { expectClose, matrixOf, random } from './plain.ts';

const table = random([5, 3], 'table');
const ids = tf.tensor2d([4, 1, 1, 0, 4, 1], [2, 3], 'int32');

describe('embeddingLookup', () => {
  it('looks rows up, for ids of any shape', () => {
    const rows = matrixOf(table);
    const output = embeddingLookup({ table, ids });
    expect([output.shape, output.dtype]).toEqual([[2, 3, 3], 'float32']);
    expectClose(
      output,
      [4, 1, 1, 0, 4, 1].map(id => rows[id]!),
    );
    expect(embeddingLookup({ table, ids: tf.scalar(2, 'int32') }).shape).toEqual([3]);
    expectClose(embeddingLookup({ table, ids: tf.scalar(2, 'int32') }), rows[2]!);
  });

  it('has the gradient of differences: rows that repeat add up', () => {
    gradCheck(x => embeddingLookup({ table: x!, ids }), [table]);
    const counts = tf.grad(x => tf.sum(embeddingLookup({ table: x, ids })))(table);
    expectClose(
      counts,
      [1, 3, 0, 0, 2].map(count => [count, count, count]),
    );
  });

  it('looks the padding row up, but gives it no gradient', () => {
    const lookUp = (x: tf.Tensor) => embeddingLookup({ table: x, ids }, { paddingIndex: 1 });
    expectClose(lookUp(table), embeddingLookup({ table, ids }));
    expectClose(
      tf.grad(x => tf.sum(lookUp(x)))(table),
      [1, 0, 0, 0, 2].map(count => [count, count, count]),
    );
  });

  it('leaks nothing', () => {
    expectNoLeak(() => embeddingLookup({ table, ids }));
    expectNoLeak(() => tf.grad(x => tf.sum(embeddingLookup({ table: x, ids }, { paddingIndex: 0 })))(table));
  });

  it('says what is wrong', () => {
    const lookUp = (values: number[]) => () => embeddingLookup({ table, ids: tf.tensor1d(values, 'int32') });
    expect(lookUp([0, 5])).toThrow('embeddingLookup: ids must be in 0 … 4, got 5 at position 1.');
    expect(lookUp([-1])).toThrow('embeddingLookup: ids must be in 0 … 4, got -1 at position 0.');
    expect(() => embeddingLookup({ table, ids: tf.zeros([2]) })).toThrow('ids must have dtype int32, got float32.');
    expect(() => embeddingLookup({ table: tf.zeros([5]), ids })).toThrow(
      'embeddingLookup: table must be [vocabularySize, width], expected [?, ?], got [5].',
    );
    expect(() => embeddingLookup({ table, ids }, { paddingIndex: 5 })).toThrow('paddingIndex must be an integer');
  });
});
