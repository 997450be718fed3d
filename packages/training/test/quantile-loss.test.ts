import { expectNoLeak, gradCheck } from '@ostinato/testing';
import { quantileLoss } from '@ostinato/training';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';

describe('quantileLoss', () => {
  const prediction = tf.tensor2d([1, 2, 4, -3, 0.5, 3], [2, 3]);
  const target = tf.tensor1d([3, 1]);
  const quantiles = [0.1, 0.5, 0.9];

  it('is what pinball loss says, summed over levels', () => {
    tf.tidy(() => {
      // Row 0: e = 2, 1, −1: 0.1·2 + 0.5·1 + 0.1·1 = 0.8. Row 1: e = 4, 0.5, −2: 0.4 + 0.25 + 0.2 = 0.85.
      const each = quantileLoss({ prediction, target }, { quantiles, reduction: 'none' }).dataSync();
      expect(each[0]).toBeCloseTo(0.8, 6);
      expect(each[1]).toBeCloseTo(0.85, 6);
      expect(quantileLoss({ prediction, target }, { quantiles }).dataSync()[0]).toBeCloseTo(0.825, 6);
      expect(quantileLoss({ prediction, target }, { quantiles, reduction: 'sum' }).dataSync()[0]).toBeCloseTo(1.65, 6);
    });
  });

  it('has the gradient of its values, and leaks nothing', () => {
    gradCheck(x => quantileLoss({ prediction: x, target }, { quantiles }), [prediction]);
    gradCheck(y => quantileLoss({ prediction, target: y }, { quantiles, reduction: 'none' }), [target]);
    expectNoLeak(() => quantileLoss({ prediction, target }, { quantiles }));
  });

  it('is least at the quantile', () => {
    const sample = tf.tensor1d(Array.from({ length: 100 }, (_, i) => i + 0.5));
    const at = (guess: number): number =>
      tf.tidy(
        () =>
          quantileLoss({ prediction: tf.fill([100, 1], guess), target: sample }, { quantiles: [0.8] }).dataSync()[0]!,
      );
    expect(at(80)).toBeLessThan(at(78));
    expect(at(80)).toBeLessThan(at(82));
    sample.dispose();
  });

  it('says what is wrong', () => {
    expect(() => quantileLoss({ prediction, target }, { quantiles: [0.5] })).toThrow('expected [2, 1], got [2, 3]');
    expect(() => quantileLoss({ prediction, target }, { quantiles: [] })).toThrow(/there must be a quantile/);
    expect(() => quantileLoss({ prediction, target }, { quantiles: [0.5, 0.4, 0.9] })).toThrow(
      'quantiles[1] must be a finite number > 0.5 < 1, got 0.4',
    );
  });
});
