import { ArgumentError, ShapeError } from '@ostinato/core';
import { expectNoLeak, gradCheck } from '@ostinato/testing';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { type SoftmaxCrossEntropyOptions, softmaxCrossEntropy } from '../src/index.ts';
import { expectClose, matrixOf, random } from './plain.ts';

const logits = random([5, 4], 'logits', 2);
const labels = tf.tensor1d([3, 0, 1, 1, 2], 'int32');
const weights = [0.5, 2, 1, 0.1];

/** The loss of one row by its definition, with log Σ exp from the largest on. */
function rowLoss(row: readonly number[], label: number, smoothing: number, w: readonly number[]): number {
  const largest = Math.max(...row);
  const logSumExp = largest + Math.log(row.reduce((total, x) => total + Math.exp(x - largest), 0));
  const logP = row.map(x => x - logSumExp);
  const spread = logP.reduce((total, value, c) => total + w[c]! * value, 0);
  return -(1 - smoothing) * w[label]! * logP[label]! - (smoothing / row.length) * spread;
}

function plain({ labelSmoothing = 0, ignoreIndex, reduction = 'mean' }: SoftmaxCrossEntropyOptions, w?: number[]) {
  const used = w ?? [1, 1, 1, 1];
  const rows = matrixOf(logits);
  const counted = [...labels.dataSync()].map(label => (label === ignoreIndex ? 0 : 1));
  const losses = [...labels.dataSync()].map((label, i) => counted[i]! * rowLoss(rows[i]!, label, labelSmoothing, used));
  const total = losses.reduce((sum, loss) => sum + loss, 0);
  const weight = [...labels.dataSync()].reduce((sum, label, i) => sum + counted[i]! * used[label]!, 0);
  return { none: losses, sum: [total], mean: [total / weight] }[reduction];
}

const reductions = ['mean', 'sum', 'none'] as const;
const variants = [
  ['plain', {}, undefined],
  ['label smoothing', { labelSmoothing: 0.2 }, undefined],
  ['class weights', {}, weights],
  ['an ignored label', { ignoreIndex: 1 }, undefined],
  ['all of these', { labelSmoothing: 0.1, ignoreIndex: 1 }, weights],
  ['smoothing alone', { labelSmoothing: 1 }, weights],
] as const;

describe.each(reductions)('softmaxCrossEntropy, reduction %s', reduction => {
  it.each(variants)('agrees with its definition and with differences: %s', (_, options, w) => {
    const classWeights = w && tf.tensor1d([...w]);
    const loss = (x: tf.Tensor) => softmaxCrossEntropy({ logits: x, labels, classWeights }, { ...options, reduction });
    expect(loss(logits).shape).toEqual(reduction === 'none' ? [5] : []);
    expectClose(loss(logits), plain({ ...options, reduction }, w && [...w])!);
    gradCheck(x => loss(x!), [logits]);
  });
});

describe('softmaxCrossEntropy', () => {
  it('takes logits of any rank', () => {
    const three = tf.tensor3d(Array.from(logits.dataSync()).slice(0, 16), [2, 2, 4]);
    const losses = softmaxCrossEntropy(
      { logits: three, labels: tf.tensor2d([3, 0, 1, 1], [2, 2], 'int32') },
      { reduction: 'none' },
    );
    expect(losses.shape).toEqual([2, 2]);
    expectClose(losses, plain({ reduction: 'none' })!.slice(0, 4));
    const one = softmaxCrossEntropy({ logits: tf.tensor1d([1, 1]), labels: tf.scalar(1, 'int32') });
    expectClose(one, [Math.LN2]);
    expectClose(softmaxCrossEntropy({ logits: tf.zeros([3, 1]), labels: tf.zeros([3], 'int32') }), [0]);
  });

  it('is finite, and its gradient too, for logits of ±10⁴', () => {
    const extreme = tf.tensor2d([1e4, -1e4, 0, 1e4, -1e4, 0], [2, 3]);
    const loss = (x: tf.Tensor) =>
      softmaxCrossEntropy({ logits: x, labels: tf.tensor1d([0, 1], 'int32') }, { reduction: 'none' });
    expectClose(loss(extreme), [0, 2e4]);
    expectClose(tf.grad(loss)(extreme), [0, 0, 0, 1, -1, 0]);
  });

  it('is zero, with a zero gradient, when every row is ignored', () => {
    for (const reduction of reductions) {
      for (const classWeights of [undefined, tf.tensor1d(weights)]) {
        const ignored = tf.fill([5], -100, 'int32');
        const loss = (x: tf.Tensor) =>
          softmaxCrossEntropy({ logits: x, labels: ignored, classWeights }, { reduction, ignoreIndex: -100 });
        expect(
          loss(logits)
            .dataSync()
            .every(x => x === 0),
        ).toBe(true);
        expect(
          tf
            .grad(loss)(logits)
            .dataSync()
            .every(x => x === 0),
        ).toBe(true);
      }
    }
  });

  it('leaks nothing', () => {
    const classWeights = tf.tensor1d(weights);
    const loss = (x: tf.Tensor) =>
      softmaxCrossEntropy({ logits: x, labels, classWeights }, { ignoreIndex: 1, labelSmoothing: 0.1 });
    expectNoLeak(() => loss(logits));
    expectNoLeak(() => tf.grad(loss)(logits));
    expectNoLeak(() => {
      const wrong = tf.tensor1d([0, 0, 0, 0, 4], 'int32');
      expect(() => softmaxCrossEntropy({ logits, labels: wrong })).toThrow(ArgumentError);
      wrong.dispose();
    });
  });

  it.each([
    ['labels must be in 0 … 3, got 4 at position 2.', [0, 1, 4, -9, 0], {}],
    ['labels must be in 0 … 3 or -1, got -2 at position 3.', [0, -1, 3, -2, 0], { ignoreIndex: -1 }],
    ['labels must be in 0 … 3, got -1 at position 0.', [-1, 0, 0, 0, 0], {}],
  ])('says: %s', (message, values, options) => {
    const wrong = tf.tensor1d(values, 'int32');
    expect(() => softmaxCrossEntropy({ logits, labels: wrong }, options)).toThrow(`softmaxCrossEntropy: ${message}`);
  });

  it('turns wrong shapes, dtypes and options down', () => {
    const call =
      (changes: object, options: object = {}) =>
      () =>
        softmaxCrossEntropy({ logits, labels, ...changes }, options);
    expect(call({ labels: tf.zeros([4], 'int32') })).toThrow('labels must be [axis0], expected [5], got [4].');
    expect(call({ labels: tf.zeros([5]) })).toThrow('labels must have dtype int32, got float32.');
    expect(call({ logits: tf.zeros([5, 4], 'int32') })).toThrow('logits must have dtype float32, got int32.');
    expect(call({ logits: tf.scalar(1) })).toThrow(ShapeError);
    expect(call({ logits: tf.zeros([5, 0]) })).toThrow('logits must be [..., classes], got [5, 0].');
    expect(call({ classWeights: tf.zeros([5]) })).toThrow('classWeights must be [classes], expected [4], got [5].');
    expect(call({}, { labelSmoothing: 1.1 })).toThrow('labelSmoothing must be a finite number ≥ 0 ≤ 1, got 1.1.');
    expect(call({}, { reduction: 'max' })).toThrow("expected 'mean' | 'sum' | 'none', got 'max'.");
  });
});
