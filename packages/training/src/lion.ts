import { checkNumber } from '@ostinato/core';
import { type PerParameterState, perParameter } from './per-parameter.ts';
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
    rule: ({ path }) => ({ rule: { kind: 'lion', beta1, beta2 }, weightDecay: mask(path) ? weightDecay : 0 }),
  });
}
