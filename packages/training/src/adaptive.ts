import { checkNumber } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';
import { type PerParameterState, perParameter } from './per-parameter.ts';
import type { Rate } from './schedules.ts';
import type { GradientTransform } from './transform.ts';

/** ε where the rule `squares` has it: beside the root, or inside. */
function place(epsilon: number, inside: boolean): { readonly epsilon: number; readonly epsilonInside: number } {
  return inside ? { epsilon: 0, epsilonInside: epsilon } : { epsilon, epsilonInside: 0 };
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
    rule: () => ({
      rule: { kind: 'squares', keep: decay, take: 1 - decay, momentum, ...place(epsilon, epsilonInside) },
    }),
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
    ruleSlots: { sum: 'meanSquare' },
    rule: () => ({ rule: { kind: 'squares', keep: 1, take: 1, ...place(epsilon, epsilonInside) } }),
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
    rule: () => ({ rule: { kind: 'adadelta', decay, epsilon } }),
  });
}
