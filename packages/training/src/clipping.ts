import { checkNumber, type Gradients } from '@ostinato/core';
import { euclideanNorm } from '@ostinato/ops';
import * as tf from '@tensorflow/tfjs-core';
import type { PlannedStep } from './plan.ts';
import { type GradientTransform, type Stateless, stateless } from './transform.ts';

/** p > 0 of ‖x‖ₚ = (Σ |x|ᵖ)^(1/p): 1 the sum of magnitudes, 2 the Euclidean norm, Infinity the largest magnitude. */
export type NormOrder = number;

function checkNorm(where: string, norm: NormOrder): void {
  if (norm !== Infinity) checkNumber(where, 'norm', norm, { above: 0 });
}

/**
 * The norm of all tensors of a map, seen as one long vector: a float32 scalar, left on the device. 0 for an empty map.
 *
 * @throws ArgumentError unless norm > 0
 */
export function globalNorm(
  tensors: Gradients,
  { norm = 2 }: { readonly norm?: NormOrder | undefined } = {},
): tf.Scalar {
  checkNorm('globalNorm', norm);
  return tf.tidy(() => {
    if (tensors.size === 0) return tf.scalar(0);
    const collect = (part: (tensor: tf.Tensor) => tf.Tensor): tf.Scalar[] =>
      [...tensors.values()].map(part) as tf.Scalar[];
    if (norm === Infinity) return tf.max(tf.stack(collect(tensor => tf.max(tf.abs(tensor)))));
    if (norm === 2) return euclideanNorm([...tensors.values()]);
    if (norm === 1) return tf.addN(collect(tensor => tf.sum(tf.abs(tensor))));
    const sum = tf.addN(collect(tensor => tf.sum(tf.pow(tf.abs(tensor), norm))));
    return tf.pow(sum, 1 / norm) as tf.Scalar;
  });
}

/** Added to the norm before dividing, so that all-zero gradients stay finite; PyTorch's value. */
const normEpsilon = 1e-6;

/**
 * Scales all gradients by min(1, max / (‖g‖ + 1e-6)), so that their common norm is at most `max` and their direction kept.
 *
 * Pascanu, Mikolov and Bengio 2013, "On the difficulty of training recurrent neural networks", arXiv:1211.5063, algorithm 1.
 *
 * @throws ArgumentError unless max > 0 and norm > 0
 */
export function clipByGlobalNorm(
  max: number,
  { norm = 2 }: { readonly norm?: NormOrder | undefined } = {},
): GradientTransform<Stateless> {
  checkNumber('clipByGlobalNorm', 'max', max, { above: 0 });
  checkNorm('clipByGlobalNorm', norm);
  const scaleOf = (gradients: Gradients): tf.Tensor =>
    tf.tidy(() => tf.minimum(1, tf.div(max, tf.add(globalNorm(gradients, { norm }), normEpsilon))));
  return {
    init: () => ({}),
    update: gradients => {
      const scale = scaleOf(gradients);
      const updates = new Map([...gradients].map(([path, gradient]) => [path, tf.mul(gradient, scale)]));
      scale.dispose();
      return { updates, state: {} };
    },
    plan(steps) {
      const isRaw = ({ scale, limit, gradientDecay, descent }: PlannedStep): boolean =>
        !scale && limit === undefined && gradientDecay === undefined && !descent;
      if (![...steps.values()].every(isRaw)) return undefined;
      const scale = scaleOf(new Map([...steps].map(([path, { gradient }]) => [path, gradient])));
      return { steps: new Map([...steps].map(([path, step]) => [path, { ...step, scale }])), state: {} };
    },
  };
}

/** Limits every element of every gradient to −max … max. */
export function clipByValue(max: number): GradientTransform<Stateless> {
  checkNumber('clipByValue', 'max', max, { above: 0 });
  return stateless(
    gradient => tf.clipByValue(gradient, -max, max),
    step =>
      step.gradientDecay === undefined && !step.descent
        ? { ...step, limit: Math.min(max, step.limit ?? max) }
        : undefined,
  );
}
