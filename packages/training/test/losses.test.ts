import { ArgumentError, ShapeError } from '@ostinato/core';
import { expectNoLeak, gradCheck } from '@ostinato/testing';
import {
  bceWithLogits,
  crossEntropy,
  huber,
  klDivergence,
  mae,
  mse,
  sequenceCrossEntropy,
  smoothL1,
  softCrossEntropy,
} from '@ostinato/training';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';

// Values against PyTorch are in tests/goldens; here: gradients by finite differences, leaks, corners, arguments.
const logitValues = [0.5, -1.2, 2, 0.1, 0.7, -0.3, 1.5, -2, 0.4, 0.9, -0.6, 1.1];
const probabilities = [0.2, 0.3, 0.5, 0.1, 0.1, 0.8, 0, 1, 0, 0.6, 0.3, 0.1];

/** The constants of all losses. */
function constants(): {
  logits: tf.Tensor;
  labels: tf.Tensor;
  lengths: tf.Tensor;
  targets: tf.Tensor;
  weights: tf.Tensor;
} {
  return {
    logits: tf.tensor3d(logitValues, [2, 2, 3]),
    labels: tf.tensor2d([2, 0, 1, 99], [2, 2], 'int32'),
    lengths: tf.tensor1d([2, 1], 'int32'),
    targets: tf.tensor3d(probabilities, [2, 2, 3]),
    weights: tf.tensor1d([0.5, 1, 2]),
  };
}

type Inputs = ReturnType<typeof constants>;
const losses: Record<string, (x: tf.Tensor, inputs: Inputs) => tf.Tensor> = {
  crossEntropy: (logits, { labels, weights }) =>
    crossEntropy({ logits, labels, classWeights: weights }, { labelSmoothing: 0.1, ignoreIndex: 99 }),
  'crossEntropy, none': (logits, { labels }) =>
    crossEntropy({ logits, labels }, { ignoreIndex: 99, reduction: 'none' }),
  sequenceCrossEntropy: (logits, { labels, lengths }) =>
    sequenceCrossEntropy({ logits, labels, lengths }, { labelSmoothing: 0.2 }),
  'sequenceCrossEntropy, sequences': (logits, { labels, lengths }) =>
    sequenceCrossEntropy({ logits, labels, lengths }, { reduction: 'sequences' }),
  'sequenceCrossEntropy, perSequence': (logits, { labels, lengths }) =>
    sequenceCrossEntropy({ logits, labels, lengths }, { reduction: 'perSequence' }),
  softCrossEntropy: (logits, { targets }) => softCrossEntropy({ logits, targets }),
  klDivergence: (logits, { targets }) => klDivergence({ logits, targets }, { reduction: 'sum' }),
  bceWithLogits: (logits, { targets, weights }) => bceWithLogits({ logits, targets, posWeight: weights }),
  mse: (prediction, { targets }) => mse({ prediction, target: targets }, { reduction: 'sum' }),
  mae: (prediction, { targets }) => mae({ prediction, target: targets }),
  huber: (prediction, { targets }) => huber({ prediction, target: targets }, { delta: 0.7 }),
  smoothL1: (prediction, { targets }) => smoothL1({ prediction, target: targets }, { beta: 0.7, reduction: 'none' }),
};

describe.each(Object.entries(losses))('%s', (_, loss) => {
  it('has the gradient of its values, and leaks nothing', () =>
    expectNoLeak(() => {
      const inputs = constants();
      gradCheck(x => loss(x!, inputs), [inputs.logits]);
      tf.dispose(Object.values(inputs));
    }));
});

it('leaks nothing off the tape', () =>
  expectNoLeak(() => {
    const { logits, labels, lengths, targets, weights } = constants();
    const results = [
      crossEntropy({ logits, labels, classWeights: weights }, { ignoreIndex: 99, reduction: 'none' }),
      sequenceCrossEntropy({ logits, labels, lengths }, { reduction: 'perSequence' }),
      softCrossEntropy({ logits, targets }),
      klDivergence({ logits, targets }),
      bceWithLogits({ logits, targets, posWeight: weights }),
      mse({ prediction: logits, target: targets }),
      mae({ prediction: logits, target: targets }, { reduction: 'none' }),
      huber({ prediction: logits, target: targets }),
      smoothL1({ prediction: logits, target: targets }, { reduction: 'sum' }),
    ];
    tf.dispose([...results, logits, labels, lengths, targets, weights]);
  }));

describe('corners', () => {
  const scalar = (make: () => tf.Tensor): number => tf.tidy(() => make().dataSync()[0]!);

  it('counts padding and ignored labels for nothing', () => {
    // Uniform logits over 4 classes: every token costs ln 4.
    const cost = (lengths: number[], labels: number[][], options = {}): number =>
      scalar(() =>
        sequenceCrossEntropy(
          {
            logits: tf.zeros([2, 3, 4]),
            labels: tf.tensor2d(labels, [2, 3], 'int32'),
            lengths: tf.tensor1d(lengths, 'int32'),
          },
          options,
        ),
      );
    const labels = [
      [0, 1, 77],
      [2, -5, 77],
    ];
    expect(cost([2, 1], labels)).toBeCloseTo(Math.log(4), 6);
    expect(cost([2, 0], labels, { reduction: 'sequences' })).toBeCloseTo(Math.log(4), 6);
    expect(cost([2, 1], labels, { reduction: 'perSequence' })).toBeCloseTo(2 * Math.log(4), 6);
    expect(cost([2, 1], labels, { ignoreIndex: 1, reduction: 'perSequence' })).toBeCloseTo(Math.log(4), 6);
    expect(cost([0, 0], labels)).toBe(0);
    expect(cost([0, 0], labels, { reduction: 'sequences' })).toBe(0);
  });

  it('stays finite far out', () => {
    const bce = (logit: number, target: number): number =>
      scalar(() => bceWithLogits({ logits: tf.tensor1d([logit]), targets: tf.tensor1d([target]) }));
    expect(bce(1000, 0)).toBe(1000);
    expect(bce(1000, 1)).toBe(0);
    expect(bce(-1000, 0)).toBe(0);
    expect(bce(-1000, 1)).toBe(1000);
    // Far from the boundary the loss is e⁻ˣ, not the difference of two large numbers.
    expect(Math.abs(bce(-12, 0) / Math.log1p(Math.exp(-12)) - 1)).toBeLessThan(1e-5);
    expect(Math.abs(bce(12, 1) / Math.log1p(Math.exp(-12)) - 1)).toBeLessThan(1e-5);
    const same = { logits: [0, -200], targets: [1, 0] };
    const divergence = scalar(() =>
      klDivergence({ logits: tf.tensor2d([same.logits]), targets: tf.tensor2d([same.targets]) }),
    );
    expect(divergence).toBe(0);
  });

  it('has gradient 0 where prediction and target agree', () => {
    const gradient = tf.tidy(() => {
      const target = tf.tensor1d([1, 2]);
      return [
        ...tf
          .grad(x => mae({ prediction: x, target }) as tf.Scalar)(tf.tensor1d([1, 3]))
          .dataSync(),
      ];
    });
    expect(gradient).toEqual([0, 0.5]);
  });

  it('keeps the shape with reduction none', () => {
    const shape = tf.tidy(
      () => huber({ prediction: tf.ones([2, 3]), target: tf.zeros([2, 3]) }, { reduction: 'none' }).shape,
    );
    expect(shape).toEqual([2, 3]);
  });

  it('refuses what does not fit', () => {
    const tensors = [tf.zeros([2, 3]), tf.zeros([3]), tf.zeros([2, 3], 'int32')] as const;
    const [matrix, vector, integers] = tensors;
    expect(() => mse({ prediction: matrix, target: vector })).toThrow(ShapeError);
    expect(() => mse({ prediction: matrix, target: vector })).toThrow(
      "mse: target must have the prediction's shape, expected [2, 3], got [3].",
    );
    expect(() => bceWithLogits({ logits: matrix, targets: vector })).toThrow(ShapeError);
    expect(() => huber({ prediction: matrix, target: matrix }, { delta: 0 })).toThrow(ArgumentError);
    expect(() => mae({ prediction: matrix, target: matrix }, { reduction: 'max' as 'sum' })).toThrow(
      "unknown reduction, expected 'mean' | 'sum' | 'none', got 'max'",
    );
    const [logits, lengths, fractions] = [tf.zeros([2, 4, 5]), tf.zeros([2], 'int32'), tf.tensor1d([2.5, 1])];
    expect(() => sequenceCrossEntropy({ logits, labels: integers, lengths })).toThrow(ShapeError);
    const labels = tf.zeros([2, 4], 'int32');
    expect(() => sequenceCrossEntropy({ logits, labels, lengths: fractions })).toThrow(/lengths must have dtype int32/);
    const [tooLong, negative] = [tf.tensor1d([5, 1], 'int32'), tf.tensor1d([1, -1], 'int32')];
    expect(() => sequenceCrossEntropy({ logits, labels, lengths: tooLong })).toThrow(
      'sequenceCrossEntropy: every length must be in 0 … 4, got 5 in row 0.',
    );
    expect(() => sequenceCrossEntropy({ logits, labels, lengths: negative })).toThrow('got -1 in row 1.');
    tf.dispose([...tensors, logits, labels, lengths, fractions, tooLong, negative]);
  });
});
