import { checkNumber, type Gradients } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';
import { type GradientTransform, type Stateless, stateless } from './transform.ts';

/** Which norm: the sum of magnitudes, the Euclidean norm, or the largest magnitude. */
export type NormOrder = 1 | 2 | typeof Infinity;

/** The norm of all tensors of a map, seen as one long vector: a float32 scalar, left on the device. 0 for an empty map. */
export function globalNorm(
  tensors: Gradients,
  { norm = 2 }: { readonly norm?: NormOrder | undefined } = {},
): tf.Scalar {
  return tf.tidy(() => {
    const parts = [...tensors.values()].map(tensor =>
      norm === 2 ? tf.sum(tf.square(tensor)) : norm === 1 ? tf.sum(tf.abs(tensor)) : tf.max(tf.abs(tensor)),
    ) as tf.Scalar[];
    if (parts.length === 0) return tf.scalar(0);
    if (norm === 1) return tf.addN(parts);
    return norm === 2 ? tf.sqrt(tf.addN(parts)) : tf.max(tf.stack(parts));
  });
}

/** Added to the norm before dividing, so that all-zero gradients stay finite; PyTorch's value. */
const normEpsilon = 1e-6;

/**
 * Scales all gradients by min(1, max / (‖g‖ + 1e-6)), so that their common norm is at most `max` and their direction kept.
 *
 * Pascanu, Mikolov and Bengio 2013, "On the difficulty of training recurrent neural networks", arXiv:1211.5063, algorithm 1.
 */
export function clipByGlobalNorm(
  max: number,
  { norm = 2 }: { readonly norm?: NormOrder | undefined } = {},
): GradientTransform<Stateless> {
  checkNumber('clipByGlobalNorm', 'max', max, { above: 0 });
  return {
    init: () => ({}),
    update: gradients => {
      const scale = tf.tidy(() => tf.minimum(1, tf.div(max, tf.add(globalNorm(gradients, { norm }), normEpsilon))));
      const updates = new Map([...gradients].map(([path, gradient]) => [path, tf.mul(gradient, scale)]));
      scale.dispose();
      return { updates, state: {} };
    },
  };
}

/** Limits every element of every gradient to −max … max. */
export function clipByValue(max: number): GradientTransform<Stateless> {
  checkNumber('clipByValue', 'max', max, { above: 0 });
  return stateless(gradient => tf.clipByValue(gradient, -max, max));
}
