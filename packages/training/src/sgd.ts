import { ArgumentError, checkNumber } from '@ostinato/core';
import { type PerParameterState, perParameter } from './per-parameter.ts';
import type { Rate } from './schedules.ts';
import type { GradientTransform } from './transform.ts';

/** Options of `sgd`. */
export interface SgdOptions {
  readonly learningRate: Rate;
  /** μ. Default 0: plain gradient descent, which remembers nothing. */
  readonly momentum?: number | undefined;
  /** Part of a new gradient that is left out of the momentum, from the second step on. Default 0. */
  readonly dampening?: number | undefined;
  /** Look ahead along the momentum. Default false. */
  readonly nesterov?: boolean | undefined;
}

/**
 * Stochastic gradient descent: b ← μb + (1 − dampening)g, starting with b = g; update = −η·b, with Nesterov −η·(g + μb).
 *
 * Sutskever, Martens, Dahl and Hinton 2013, "On the importance of initialization and momentum in deep learning", ICML; in
 * PyTorch's form, where the learning rate is outside the momentum. For L2 regularisation, `chain(weightDecay(1e-4), sgd(…))`.
 */
export function sgd({
  learningRate,
  momentum = 0,
  dampening = 0,
  nesterov = false,
}: SgdOptions): GradientTransform<PerParameterState<'momentum'>> {
  checkNumber('sgd', 'momentum', momentum, { min: 0, below: 1 });
  checkNumber('sgd', 'dampening', dampening, { min: 0, max: 1 });
  if (nesterov && (momentum === 0 || dampening !== 0)) {
    throw new ArgumentError({
      where: 'sgd',
      rule: 'nesterov needs momentum and no dampening',
      got: `momentum ${momentum}, dampening ${dampening}`,
    });
  }
  return perParameter({
    name: 'sgd',
    learningRate,
    slots: momentum > 0 ? ['momentum'] : [],
    rule: ({ count }) => {
      if (momentum === 0) return { rule: { kind: 'descent' } };
      const [keep, take] = count === 1 ? [0, 1] : [momentum, 1 - dampening];
      return { rule: { kind: 'momentum', keep, take, ahead: nesterov ? momentum : 0 } };
    },
  });
}
