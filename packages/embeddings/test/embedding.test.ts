import { normal, parameters, Rng, ShapeError, uniform } from '@ostinato/core';
import { allClose, expectNoLeak, gradCheck } from '@ostinato/testing';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { Embedding, TiedOutput } from '../src/index.ts';

const sizes = { vocabularySize: 5, embeddingSize: 3 };
const ids = tf.keep(
  tf.tensor2d(
    [
      [1, 0],
      [4, 1],
    ],
    [2, 2],
    'int32',
  ),
);

function expectClose(got: tf.Tensor, want: ArrayLike<number>): void {
  expect(allClose(got, want)).toMatchObject({ close: true });
}

const rowOf = (table: tf.Tensor, row: number): number[] =>
  Array.from(tf.tidy(() => tf.slice(table, [row, 0], [1, -1]).dataSync()));

describe('Embedding', () => {
  it('looks rows up, for ids of any shape', () => {
    const embedding = new Embedding(sizes);
    const rows = [1, 0, 4, 1].flatMap(id => rowOf(embedding.table, id));
    const output = embedding.call(ids);
    expect(output.shape).toEqual([2, 2, 3]);
    expectClose(output, rows);
    const vector = tf.tensor1d([2], 'int32');
    expectClose(embedding.call(vector), rowOf(embedding.table, 2));
    embedding.dispose();
  });

  it('multiplies by scale', () => {
    const [plain, scaled] = [new Embedding(sizes), new Embedding({ ...sizes, scale: 2.5 })];
    expectClose(
      scaled.call(ids),
      Array.from(plain.call(ids).dataSync(), x => 2.5 * x),
    );
  });

  it('refuses an initializer that returns another shape', () => {
    expect(() => new Embedding({ ...sizes, initializer: () => tf.zeros([1]) })).toThrow(ShapeError);
  });

  it('starts from a standard normal, or what the initializer draws', () => {
    const large = { vocabularySize: 100, embeddingSize: 50 };
    const variance = (embedding: Embedding): number =>
      tf.tidy(() => tf.mean(tf.square(embedding.table)).dataSync()[0]!);
    expect(variance(new Embedding(large))).toBeCloseTo(1, 1);
    expect(variance(new Embedding({ ...large, initializer: uniform(-0.05, 0.05) })) / (0.01 / 12)).toBeCloseTo(1, 1);
    const values = (seed: number): string => String(new Embedding({ ...sizes, rng: new Rng(seed) }).table.dataSync());
    expect(values(1)).toBe(values(1));
    expect(values(1)).not.toBe(values(2));
  });

  it('adds the gradients of repeated ids up, and gives unused rows none', () => {
    const embedding = new Embedding(sizes);
    const { grads } = tf.variableGrads(() => tf.sum(embedding.call(ids)), [embedding.table]);
    expectClose(grads[embedding.table.name]!, [1, 1, 1, 2, 2, 2, 0, 0, 0, 0, 0, 0, 1, 1, 1]);
  });

  it('attends: logits = h Eᵀ', () => {
    const embedding = new Embedding(sizes);
    const hidden = new Rng(3).normal([2, 4, 3]);
    const logits = embedding.attend(hidden);
    expect(logits.shape).toEqual([2, 4, 5]);
    const [h, e] = [hidden.dataSync(), embedding.table.dataSync()];
    const want = Array.from({ length: 40 }, (_, i) => {
      const [row, token] = [Math.floor(i / 5), i % 5];
      return [0, 1, 2].reduce((sum, k) => sum + h[3 * row + k]! * e[3 * token + k]!, 0);
    });
    expectClose(logits, want);
  });

  it('keeps the padding row at zero, without gradient from lookup or output', () => {
    const embedding = new Embedding({ ...sizes, paddingIndex: 1 });
    expect(rowOf(embedding.table, 1).every(x => x === 0)).toBe(true);
    const loss = (): tf.Scalar => tf.sum(tf.square(tf.add(embedding.attend(embedding.call(ids)), 1)));
    const { grads } = tf.variableGrads(loss, [embedding.table]);
    expect(rowOf(grads[embedding.table.name]!, 1).every(x => x === 0)).toBe(true);
    expect(rowOf(grads[embedding.table.name]!, 2).some(x => x !== 0)).toBe(true);
  });

  it('has the gradient that finite differences have', () => {
    const embedding = new Embedding({ ...sizes, initializer: normal(0.5), scale: 2 });
    const output = new TiedOutput({ embedding });
    const loss = (): tf.Scalar => tf.tidy(() => tf.sum(tf.square(output.call(tf.tanh(embedding.call(ids))))));
    for (const variable of parameters(output).values()) {
      const analytic = tf.tidy(() => tf.variableGrads(loss, [variable]).grads[variable.name]!.dataSync());
      const values = Float32Array.from(variable.dataSync());
      const at = (index: number, change: number): number => {
        const changed = values.map((x, i) => (i === index ? x + change : x));
        return tf.tidy(() => {
          variable.assign(tf.tensor(changed, variable.shape));
          return loss().dataSync()[0]!;
        });
      };
      values.forEach((_, i) => {
        const numeric = (at(i, 5e-3) - at(i, -5e-3)) / 1e-2;
        expect(Math.abs(analytic[i]! - numeric)).toBeLessThan(2e-2 * Math.max(1, Math.abs(numeric)));
      });
      at(0, 0);
    }
  });

  it('has the gradient that finite differences have, by the hidden state', () => {
    const embedding = new Embedding({ ...sizes, paddingIndex: 2 });
    gradCheck(hidden => embedding.attend(hidden), [new Rng(4).normal([2, 3])]);
  });

  it('leaks nothing', () => {
    expectNoLeak(() => {
      const embedding = new Embedding({ ...sizes, paddingIndex: 0, scale: 2 });
      const output = new TiedOutput({ embedding });
      const vectors = embedding.call(ids);
      const logits = output.call(vectors);
      output.dispose();
      return [vectors, logits];
    });
  });

  it('says what does not fit', () => {
    const embedding = new Embedding(sizes);
    expect(() => new Embedding({ ...sizes, vocabularySize: 0 })).toThrow(
      'Embedding: vocabularySize must be an integer ≥ 1, got 0.',
    );
    expect(() => new Embedding({ ...sizes, paddingIndex: 5 })).toThrow(
      'Embedding: paddingIndex must be an integer ≥ 0 ≤ 4, got 5.',
    );
    expect(() => embedding.attend(tf.zeros([2, 4]))).toThrow(
      'Embedding.attend: hidden must be [axis0, embeddingSize], expected [?, 3], got [2, 4].',
    );
  });
});

describe('TiedOutput', () => {
  it('adds a bias, and shares the table under one path', () => {
    const embedding = new Embedding(sizes);
    const output = new TiedOutput({ embedding });
    expect([...parameters([embedding, output]).keys()]).toEqual(['0.table', '1.bias']);
    expect([...parameters(new TiedOutput({ embedding, bias: false })).keys()]).toEqual(['embedding.table']);
    const hidden = tf.ones([1, 3]);
    output.bias!.assign(tf.tensor1d([1, 2, 3, 4, 5]));
    expectClose(
      output.call(hidden),
      Array.from(embedding.attend(hidden).dataSync(), (x, i) => x + i + 1),
    );
  });
});
