import { checkNumber } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';
import { decayed, type PerParameterState, perParameter } from './per-parameter.ts';
import type { Rate } from './schedules.ts';
import type { GradientTransform, PathPredicate } from './transform.ts';

/** Options of `lion`. */
export interface LionOptions {
  readonly learningRate: Rate;
  /** Default 0.9. */
  readonly beta1?: number | undefined;
  /** Default 0.99. */
  readonly beta2?: number | undefined;
  /** λ, decoupled. Default 0. */
  readonly weightDecay?: number | undefined;
  /** Which parameters decay, by path. Default all. */
  readonly mask?: PathPredicate | undefined;
}

/**
 * Lion: update = −η·(sign(β₁m + (1−β₁)g) + λ·parameter); m ← β₂m + (1−β₂)g. Learning rates are 3 to 10 times smaller than
 * Adam's.
 *
 * Chen et al. 2023, "Symbolic discovery of optimization algorithms", arXiv:2302.06675, algorithm 2.
 */
export function lion(options: LionOptions): GradientTransform<PerParameterState<'momentum'>> {
  const { learningRate, beta1 = 0.9, beta2 = 0.99, weightDecay = 0, mask = () => true } = options;
  checkNumber('lion', 'beta1', beta1, { min: 0, below: 1 });
  checkNumber('lion', 'beta2', beta2, { min: 0, below: 1 });
  checkNumber('lion', 'weightDecay', weightDecay, { min: 0 });
  return perParameter({
    name: 'lion',
    learningRate,
    slots: ['momentum'],
    rule: ({ gradient, parameter, path, slots, learningRate: rate }) => {
      const sign = tf.sign(decayed(slots.momentum, gradient, beta1));
      const direction = mask(path) && weightDecay > 0 ? tf.add(sign, tf.mul(parameter, weightDecay)) : sign;
      return { update: tf.mul(direction, -rate), slots: { momentum: decayed(slots.momentum, gradient, beta2) } };
    },
  });
}
