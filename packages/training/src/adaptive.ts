import { checkNumber } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';
import { decayed, type PerParameterState, perParameter } from './per-parameter.ts';
import type { Rate } from './schedules.ts';
import type { GradientTransform } from './transform.ts';

/** √v + ε, or √(v + ε). */
function root(square: tf.Tensor, epsilon: number, inside: boolean): tf.Tensor {
  return inside ? tf.sqrt(tf.add(square, epsilon)) : tf.add(tf.sqrt(square), epsilon);
}

/** Options of `rmsprop`. */
export interface RmspropOptions {
  readonly learningRate: Rate;
  /** ρ, the decay of the mean square. Default 0.9, as the lecture and Keras; PyTorch's alpha is 0.99. */
  readonly decay?: number | undefined;
  /** Default 1e-8. */
  readonly epsilon?: number | undefined;
  /** Divide by √(v + ε), as Keras, and not by √v + ε, as PyTorch. Default false. */
  readonly epsilonInside?: boolean | undefined;
  /** Subtract the square of the mean gradient: divide by its deviation. Default false. */
  readonly centered?: boolean | undefined;
  /** Default 0. */
  readonly momentum?: number | undefined;
}

/**
 * RMSprop: v ← ρv + (1−ρ)g²; update = −η·g/(√v + ε). Centered: v less the square of a ← ρa + (1−ρ)g. With momentum μ the
 * quotient is summed: b ← μb + g/(√v + ε), update = −η·b.
 *
 * Tieleman and Hinton 2012, Coursera "Neural networks for machine learning", lecture 6.5; centered: Graves 2013,
 * arXiv:1308.0850, eq. 38-45.
 */
export function rmsprop(
  options: RmspropOptions,
): GradientTransform<PerParameterState<'meanSquare' | 'mean' | 'momentum'>> {
  const { learningRate, decay = 0.9, epsilon = 1e-8, epsilonInside = false, centered = false, momentum = 0 } = options;
  checkNumber('rmsprop', 'decay', decay, { min: 0, below: 1 });
  checkNumber('rmsprop', 'epsilon', epsilon, { min: 0 });
  checkNumber('rmsprop', 'momentum', momentum, { min: 0, below: 1 });
  const slots: ('meanSquare' | 'mean' | 'momentum')[] = ['meanSquare'];
  if (centered) slots.push('mean');
  if (momentum > 0) slots.push('momentum');
  return perParameter({
    name: 'rmsprop',
    learningRate,
    slots,
    rule: ({ gradient, slots: old, learningRate: rate }) => {
      const next: Record<string, tf.Tensor> = {};
      const meanSquare = decayed(old.meanSquare, tf.square(gradient), decay);
      next['meanSquare'] = meanSquare;
      let square = meanSquare;
      if (centered) {
        const mean = decayed(old.mean, gradient, decay);
        next['mean'] = mean;
        // In exact numbers never negative.
        square = tf.relu(tf.sub(square, tf.square(mean)));
      }
      let direction = tf.div(gradient, root(square, epsilon, epsilonInside));
      if (momentum > 0) {
        direction = tf.add(tf.mul(old.momentum, momentum), direction);
        next['momentum'] = direction;
      }
      return { update: tf.mul(direction, -rate), slots: next as Record<'meanSquare' | 'mean' | 'momentum', tf.Tensor> };
    },
  });
}

/** Options of `adagrad`. */
export interface AdagradOptions {
  readonly learningRate: Rate;
  /** Default 1e-10. */
  readonly epsilon?: number | undefined;
  /** Divide by √(s + ε), as Keras, and not by √s + ε, as PyTorch. Default false. */
  readonly epsilonInside?: boolean | undefined;
  /** The sum of squares before the first step. Default 0; Keras starts with 0.1. */
  readonly initialAccumulator?: number | undefined;
}

/**
 * AdaGrad: s ← s + g²; update = −η·g/(√s + ε).
 *
 * Duchi, Hazan and Singer 2011, "Adaptive subgradient methods", JMLR 12.
 */
export function adagrad(options: AdagradOptions): GradientTransform<PerParameterState<'sum'>> {
  const { learningRate, epsilon = 1e-10, epsilonInside = false, initialAccumulator = 0 } = options;
  checkNumber('adagrad', 'epsilon', epsilon, { min: 0 });
  checkNumber('adagrad', 'initialAccumulator', initialAccumulator, { min: 0 });
  return perParameter({
    name: 'adagrad',
    learningRate,
    slots: ['sum'],
    initial: (_, parameter) => tf.fill(parameter.shape, initialAccumulator, 'float32'),
    rule: ({ gradient, slots, learningRate: rate }) => {
      const sum = tf.add(slots.sum, tf.square(gradient));
      return { update: tf.mul(tf.div(gradient, root(sum, epsilon, epsilonInside)), -rate), slots: { sum } };
    },
  });
}

/** Options of `adadelta`. */
export interface AdadeltaOptions {
  /** Default 1, as in the paper, which has none. */
  readonly learningRate?: Rate | undefined;
  /** ρ. Default 0.9. */
  readonly decay?: number | undefined;
  /** Default 1e-6. */
  readonly epsilon?: number | undefined;
}

/**
 * AdaDelta: v ← ρv + (1−ρ)g²; d = √(u + ε)/√(v + ε)·g; u ← ρu + (1−ρ)d²; update = −η·d.
 *
 * Zeiler 2012, arXiv:1212.5701, algorithm 1.
 */
export function adadelta(
  options: AdadeltaOptions = {},
): GradientTransform<PerParameterState<'meanSquare' | 'meanSquareUpdate'>> {
  const { learningRate = 1, decay = 0.9, epsilon = 1e-6 } = options;
  checkNumber('adadelta', 'decay', decay, { min: 0, below: 1 });
  checkNumber('adadelta', 'epsilon', epsilon, { above: 0 });
  return perParameter({
    name: 'adadelta',
    learningRate,
    slots: ['meanSquare', 'meanSquareUpdate'],
    rule: ({ gradient, slots, learningRate: rate }) => {
      const meanSquare = decayed(slots.meanSquare, tf.square(gradient), decay);
      const ratio = tf.div(root(slots.meanSquareUpdate, epsilon, true), root(meanSquare, epsilon, true));
      const step = tf.mul(ratio, gradient);
      const meanSquareUpdate = decayed(slots.meanSquareUpdate, tf.square(step), decay);
      return { update: tf.mul(step, -rate), slots: { meanSquare, meanSquareUpdate } };
    },
  });
}
