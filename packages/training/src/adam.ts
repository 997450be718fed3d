import { checkNumber } from '@ostinato/core';
import { type PerParameterState, perParameter } from './per-parameter.ts';
import type { Rate } from './schedules.ts';
import type { GradientTransform, PathPredicate } from './transform.ts';

/** Options of `adam`. */
export interface AdamOptions {
  readonly learningRate: Rate;
  /** Decay of the first moment. Default 0.9. */
  readonly beta1?: number | undefined;
  /** Decay of the second moment. Default 0.999. */
  readonly beta2?: number | undefined;
  /** Default 1e-8. */
  readonly epsilon?: number | undefined;
  /**
   * Add epsilon to √v, as Keras and TensorFlow do, and not to the corrected √(v/(1 − β₂ᵗ)) as the paper's algorithm 1 and
   * PyTorch do. It is the paper's ε̂, end of section 2. Default false.
   */
  readonly epsilonBeforeCorrection?: boolean | undefined;
}

/** Options of `adamw`. */
export interface AdamWOptions extends AdamOptions {
  /** λ. Default 0.01. */
  readonly weightDecay?: number | undefined;
  /** Which parameters decay, by path. Default all. Biases and gains usually do not. */
  readonly mask?: PathPredicate | undefined;
}

/** The moments that Adam keeps. */
export type AdamState = PerParameterState<'firstMoment' | 'secondMoment'>;

function checkBetas(name: string, beta1: number, beta2: number, epsilon: number): void {
  checkNumber(name, 'beta1', beta1, { min: 0, below: 1 });
  checkNumber(name, 'beta2', beta2, { min: 0, below: 1 });
  checkNumber(name, 'epsilon', epsilon, { min: 0 });
}

/**
 * Adam: m ← β₁m + (1−β₁)g, v ← β₂v + (1−β₂)g²; update = −η·(m/(1−β₁ᵗ)) / (√(v/(1−β₂ᵗ)) + ε), with t the number of this
 * parameter's update. One fused op a parameter.
 *
 * Kingma and Ba 2015, arXiv:1412.6980, algorithm 1: α is `learningRate`.
 */
export function adam(options: AdamOptions): GradientTransform<AdamState> {
  return adamFamily('adam', { ...options, weightDecay: 0 });
}

/**
 * Adam with decoupled weight decay: Adam's update − η·λ·parameter.
 *
 * Loshchilov and Hutter 2019, arXiv:1711.05101, algorithm 2, with the decay scaled by the learning rate as in PyTorch.
 */
export function adamw({ weightDecay = 0.01, ...options }: AdamWOptions): GradientTransform<AdamState> {
  return adamFamily('adamw', { ...options, weightDecay });
}

function adamFamily(
  name: string,
  {
    learningRate,
    beta1 = 0.9,
    beta2 = 0.999,
    epsilon = 1e-8,
    epsilonBeforeCorrection = false,
    weightDecay = 0,
    mask = () => true,
  }: AdamWOptions,
): GradientTransform<AdamState> {
  checkBetas(name, beta1, beta2, epsilon);
  checkNumber(name, 'weightDecay', weightDecay, { min: 0 });
  return perParameter({
    name,
    learningRate,
    slots: ['firstMoment', 'secondMoment'],
    rule: ({ path, count }) => {
      const { momentFactor, squareFactor } = corrections(beta1, beta2, count);
      return {
        rule: {
          kind: 'adam',
          beta1,
          beta2,
          // √v + ε = √(1−β₂ᵗ)·(√(v/(1−β₂ᵗ)) + ε/√(1−β₂ᵗ)), and the first factor is the correction.
          epsilon: epsilonBeforeCorrection ? epsilon * Math.sqrt(squareFactor) : epsilon,
          momentFactor,
          squareFactor,
        },
        weightDecay: mask(path) ? weightDecay : 0,
      };
    },
  });
}

/** 1/(1−β₁ᵗ) and 1/(1−β₂ᵗ), which make up for moments that began at zero. */
function corrections(
  beta1: number,
  beta2: number,
  count: number,
): { readonly momentFactor: number; readonly squareFactor: number } {
  return { momentFactor: 1 / (1 - beta1 ** count), squareFactor: 1 / (1 - beta2 ** count) };
}

/** Options of the variants of Adam. */
export type AdamVariantOptions = Omit<AdamOptions, 'epsilonBeforeCorrection'>;

/**
 * AMSGrad: Adam that divides by the largest second moment so far, so that steps never grow back.
 *
 * Reddi, Kale and Kumar 2018, arXiv:1904.09237, algorithm 2, with Adam's corrections as in PyTorch.
 */
export function amsgrad(
  options: AdamVariantOptions,
): GradientTransform<PerParameterState<'firstMoment' | 'secondMoment' | 'largestSecondMoment'>> {
  const { learningRate, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 } = options;
  checkBetas('amsgrad', beta1, beta2, epsilon);
  return perParameter({
    name: 'amsgrad',
    learningRate,
    slots: ['firstMoment', 'secondMoment', 'largestSecondMoment'],
    rule: ({ count }) => ({ rule: { kind: 'adam', beta1, beta2, epsilon, ...corrections(beta1, beta2, count) } }),
  });
}

/** Adamax: u ← max(β₂u, |g| + ε); update = −η/(1−β₁ᵗ)·m/u. arXiv:1412.6980, algorithm 2, with ε as in PyTorch. */
export function adamax(options: AdamVariantOptions): GradientTransform<PerParameterState<'firstMoment' | 'largest'>> {
  const { learningRate, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 } = options;
  checkBetas('adamax', beta1, beta2, epsilon);
  return perParameter({
    name: 'adamax',
    learningRate,
    slots: ['firstMoment', 'largest'],
    rule: ({ count }) => ({
      rule: { kind: 'adamax', beta1, beta2, epsilon, momentFactor: 1 / (1 - beta1 ** count) },
    }),
  });
}

/** Options of `nadam`. */
export interface NadamOptions extends AdamVariantOptions {
  /** ψ of the momentum's schedule. Default 0.004. */
  readonly momentumDecay?: number | undefined;
}

/**
 * Adam with Nesterov momentum: μₜ = β₁(1 − ½·0.96^(tψ)); update = −η·((1−μₜ)/(1−Πμ)·g + μₜ₊₁/(1−μₜ₊₁Πμ)·m) / (√v̂ + ε).
 *
 * Dozat 2016, "Incorporating Nesterov momentum into Adam", ICLR workshop.
 */
export function nadam(options: NadamOptions): GradientTransform<AdamState> {
  const { learningRate, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, momentumDecay = 0.004 } = options;
  checkBetas('nadam', beta1, beta2, epsilon);
  const momentum = (count: number): number => beta1 * (1 - 0.5 * 0.96 ** (count * momentumDecay));
  // Πμ of the first updates, each computed once.
  const products = [1];
  const product = (count: number): number => {
    while (products.length <= count) {
      const last = products.at(-1)!;
      if (last === 0) return 0;
      products.push(last * momentum(products.length));
    }
    return products[count]!;
  };
  return perParameter({
    name: 'nadam',
    learningRate,
    slots: ['firstMoment', 'secondMoment'],
    rule: ({ count }) => ({
      rule: {
        kind: 'adam',
        beta1,
        beta2,
        epsilon,
        momentFactor: momentum(count + 1) / (1 - product(count + 1)),
        gradientFactor: (1 - momentum(count)) / (1 - product(count)),
        squareFactor: 1 / (1 - beta2 ** count),
      },
    }),
  });
}

/**
 * Rectified Adam: Adam's step times r, the rectification of its variance, once that is known (ρₜ > 5); momentum alone before.
 *
 * Liu et al. 2020, arXiv:1908.03265, algorithm 2, with ε added to √v as in PyTorch.
 */
export function radam(options: AdamVariantOptions): GradientTransform<AdamState> {
  const { learningRate, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 } = options;
  checkBetas('radam', beta1, beta2, epsilon);
  const rhoInfinity = 2 / (1 - beta2) - 1;
  return perParameter({
    name: 'radam',
    learningRate,
    slots: ['firstMoment', 'secondMoment'],
    rule: ({ count }) => {
      const { momentFactor, squareFactor } = corrections(beta1, beta2, count);
      const moments = { kind: 'adam', beta1, beta2, epsilon, momentFactor } as const;
      const rho = rhoInfinity - 2 * count * beta2 ** count * squareFactor;
      if (rho <= 5) return { rule: { ...moments, adaptive: false } };
      const rectification = Math.sqrt(
        ((rho - 4) * (rho - 2) * rhoInfinity) / ((rhoInfinity - 4) * (rhoInfinity - 2) * rho),
      );
      return { rule: { ...moments, momentFactor: (momentFactor * rectification) / Math.sqrt(squareFactor) } };
    },
  });
}
