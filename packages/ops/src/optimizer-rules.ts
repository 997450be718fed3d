import { checkNumber } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';

/**
 * How an optimizer gets its direction of descent d from the gradient g and what it remembers of those before, its slots. All
 * tensors have the parameter's shape.
 */
export type OptimizerRule =
  /** d = g. No slots. */
  | { readonly kind: 'descent' }
  /** b ← keep·b + take·g; d = b, or with `ahead` > 0 (Nesterov's look-ahead) g + ahead·b. Slot `momentum` b. */
  | { readonly kind: 'momentum'; readonly keep: number; readonly take: number; readonly ahead: number }
  | AdamRule
  /**
   * m ← β₁m + (1−β₁)g, u ← max(β₂u, |g| + ε); d = momentFactor·m/u. Slots `firstMoment` m, `largest` u.
   *
   * Adamax of Kingma and Ba 2015, arXiv:1412.6980, algorithm 2, with momentFactor = 1/(1−β₁ᵗ).
   */
  | {
      readonly kind: 'adamax';
      readonly beta1: number;
      readonly beta2: number;
      readonly epsilon: number;
      readonly momentFactor: number;
    }
  /** d = sign(β₁m + (1−β₁)g); m ← β₂m + (1−β₂)g. Slot `momentum` m. Chen et al. 2023, arXiv:2302.06675, algorithm 2. */
  | { readonly kind: 'lion'; readonly beta1: number; readonly beta2: number }
  | SquaresRule
  /**
   * v ← ρv + (1−ρ)g²; d = √(u + ε)/√(v + ε)·g; u ← ρu + (1−ρ)d². Slots `meanSquare` v, `meanSquareUpdate` u; ρ is `decay`.
   *
   * Zeiler 2012, arXiv:1212.5701, algorithm 1.
   */
  | { readonly kind: 'adadelta'; readonly decay: number; readonly epsilon: number };

/**
 * m ← β₁m + (1−β₁)g, v ← β₂v + (1−β₂)g²; n = momentFactor·m + gradientFactor·g; d = n/(√(squareFactor·v) + ε), or n alone when it
 * is not `adaptive`. Slots `firstMoment` m, `secondMoment` v; where there is a slot `largestSecondMoment`, w ← max(w, v) takes the
 * place of v in d (AMSGrad).
 *
 * Kingma and Ba 2015, arXiv:1412.6980, algorithm 1, has momentFactor = 1/(1−β₁ᵗ) and squareFactor = 1/(1−β₂ᵗ).
 */
interface AdamRule {
  readonly kind: 'adam';
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly momentFactor: number;
  /** Default 0. */
  readonly gradientFactor?: number | undefined;
  /** Default 1. */
  readonly squareFactor?: number | undefined;
  /** Default true. */
  readonly adaptive?: boolean | undefined;
}

/**
 * v ← keep·v + take·g²; q = g/(√(v + epsilonInside) + ε). Slot `meanSquare` v. With a slot `mean`, a ← keep·a + take·g and v − a²
 * takes the place of v in q. With a slot `momentum`, b ← momentum·b + q and d = b; otherwise d = q.
 *
 * RMSprop (Tieleman and Hinton 2012, lecture 6.5) has take = 1 − keep, AdaGrad (Duchi, Hazan and Singer 2011) keep = take = 1.
 */
interface SquaresRule {
  readonly kind: 'squares';
  readonly keep: number;
  readonly take: number;
  readonly epsilon: number;
  /** Default 0. */
  readonly epsilonInside?: number | undefined;
  /** Default 0. */
  readonly momentum?: number | undefined;
}

type Slots = Readonly<Record<string, tf.Tensor>>;

/** The slots of every kind in the order in which kernels take them; the first `required` must be there. */
export const slotsOfRule: Readonly<
  Record<OptimizerRule['kind'], { readonly names: readonly string[]; readonly required: number }>
> = {
  descent: { names: [], required: 0 },
  momentum: { names: ['momentum'], required: 1 },
  adam: { names: ['firstMoment', 'secondMoment', 'largestSecondMoment'], required: 2 },
  adamax: { names: ['firstMoment', 'largest'], required: 2 },
  lion: { names: ['momentum'], required: 1 },
  squares: { names: ['meanSquare', 'mean', 'momentum'], required: 1 },
  adadelta: { names: ['meanSquare', 'meanSquareUpdate'], required: 2 },
};

/** rate·old + other·value. */
function mix(old: tf.Tensor, value: tf.Tensor, rate: number, other = 1 - rate): tf.Tensor {
  return tf.add(tf.mul(old, rate), tf.mul(value, other));
}

/** The rule in plain ops: d, and the slots that it leaves. Call it in a tidy. */
export function direction(rule: OptimizerRule, g: tf.Tensor, slots: Slots): [tf.Tensor, Record<string, tf.Tensor>] {
  switch (rule.kind) {
    case 'descent':
      return [g, {}];
    case 'momentum': {
      const momentum = mix(slots['momentum']!, g, rule.keep, rule.take);
      return [rule.ahead > 0 ? tf.add(g, tf.mul(momentum, rule.ahead)) : momentum, { momentum }];
    }
    case 'adam': {
      const { epsilon, gradientFactor = 0, squareFactor = 1, adaptive = true } = rule;
      const firstMoment = mix(slots['firstMoment']!, g, rule.beta1);
      const secondMoment = mix(slots['secondMoment']!, tf.square(g), rule.beta2);
      const largest = slots['largestSecondMoment'];
      const largestSecondMoment = largest && tf.maximum(largest, secondMoment);
      const square = largestSecondMoment ?? secondMoment;
      const scaled = tf.mul(firstMoment, rule.momentFactor);
      const moment = gradientFactor === 0 ? scaled : tf.add(scaled, tf.mul(g, gradientFactor));
      const next = { firstMoment, secondMoment, ...(largestSecondMoment && { largestSecondMoment }) };
      return [adaptive ? tf.div(moment, tf.add(tf.sqrt(tf.mul(square, squareFactor)), epsilon)) : moment, next];
    }
    case 'adamax': {
      const firstMoment = mix(slots['firstMoment']!, g, rule.beta1);
      const largest = tf.maximum(tf.mul(slots['largest']!, rule.beta2), tf.add(tf.abs(g), rule.epsilon));
      return [tf.div(tf.mul(firstMoment, rule.momentFactor), largest), { firstMoment, largest }];
    }
    case 'lion': {
      const sign = tf.sign(mix(slots['momentum']!, g, rule.beta1));
      return [sign, { momentum: mix(slots['momentum']!, g, rule.beta2) }];
    }
    case 'squares': {
      const { keep, take, epsilon, epsilonInside = 0 } = rule;
      const next: Record<string, tf.Tensor> = {};
      const meanSquare = mix(slots['meanSquare']!, tf.square(g), keep, take);
      next['meanSquare'] = meanSquare;
      let square = meanSquare;
      if (slots['mean']) {
        const mean = mix(slots['mean'], g, keep, take);
        next['mean'] = mean;
        // In exact numbers never negative.
        square = tf.relu(tf.sub(square, tf.square(mean)));
      }
      let d = tf.div(g, tf.add(tf.sqrt(tf.add(square, epsilonInside)), epsilon));
      if (slots['momentum']) {
        d = tf.add(tf.mul(slots['momentum'], rule.momentum ?? 0), d);
        next['momentum'] = d;
      }
      return [d, next];
    }
    case 'adadelta': {
      const { decay, epsilon } = rule;
      const root = (x: tf.Tensor): tf.Tensor => tf.sqrt(tf.add(x, epsilon));
      const meanSquare = mix(slots['meanSquare']!, tf.square(g), decay);
      const d = tf.mul(tf.div(root(slots['meanSquareUpdate']!), root(meanSquare)), g);
      return [d, { meanSquare, meanSquareUpdate: mix(slots['meanSquareUpdate']!, tf.square(d), decay) }];
    }
  }
}

/** Whether a kernel has a yes or no to know, and the numbers of the rule, in the order of the op contract. */
export function ruleNumbers(rule: OptimizerRule): { flag: boolean; numbers: number[] } {
  switch (rule.kind) {
    case 'descent':
      return { flag: false, numbers: [] };
    case 'momentum':
      return { flag: rule.ahead > 0, numbers: [rule.keep, rule.take, rule.ahead] };
    case 'adam': {
      const { beta1, beta2, epsilon, momentFactor, gradientFactor = 0, squareFactor = 1, adaptive = true } = rule;
      const factors = [momentFactor, gradientFactor, squareFactor];
      return { flag: adaptive, numbers: [beta1, 1 - beta1, beta2, 1 - beta2, epsilon, ...factors] };
    }
    case 'adamax': {
      const { beta1, beta2, epsilon, momentFactor } = rule;
      return { flag: false, numbers: [beta1, 1 - beta1, beta2, epsilon, momentFactor] };
    }
    case 'lion':
      return { flag: false, numbers: [rule.beta1, 1 - rule.beta1, rule.beta2, 1 - rule.beta2] };
    case 'squares': {
      const { keep, take, epsilon, epsilonInside = 0, momentum = 0 } = rule;
      return { flag: false, numbers: [keep, take, epsilonInside, epsilon, momentum] };
    }
    case 'adadelta':
      return { flag: false, numbers: [rule.decay, 1 - rule.decay, rule.epsilon] };
  }
}

const fraction = ['beta1', 'beta2', 'keep', 'ahead', 'decay', 'momentum'];

/** Throws ArgumentError when a number of the rule is outside its range. */
export function checkRule(where: string, rule: OptimizerRule): void {
  for (const [name, value] of Object.entries(rule)) {
    if (typeof value === 'string' || typeof value === 'boolean' || value === undefined) continue;
    checkNumber(where, name, value as number, { min: 0, ...(fraction.includes(name) ? { max: 1 } : {}) });
  }
}
