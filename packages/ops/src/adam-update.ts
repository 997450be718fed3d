import { hasKernel, runKernel, ShapeError } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';

/** Arguments of `adamUpdate`: tensors of one shape, float32. */
export interface AdamUpdateArguments {
  /** g */
  readonly gradient: tf.Tensor;
  /** m */
  readonly firstMoment: tf.Tensor;
  /** v */
  readonly secondMoment: tf.Tensor;
  /** θ, needed for weight decay only. */
  readonly parameter?: tf.Tensor | undefined;
}

/** Options of `adamUpdate`. */
export interface AdamUpdateOptions {
  /** η */
  readonly learningRate: number;
  /** β₁ */
  readonly beta1: number;
  /** β₂ */
  readonly beta2: number;
  /** ε */
  readonly epsilon: number;
  /** λ, decoupled. Default 0. */
  readonly weightDecay?: number | undefined;
  /** 1 − β₁ᵗ */
  readonly firstCorrection: number;
  /** 1 − β₂ᵗ */
  readonly secondCorrection: number;
}

/** What `adamUpdate` returns; the caller owns the tensors. */
export interface AdamUpdateResult {
  /** What to add to θ. */
  readonly update: tf.Tensor;
  readonly firstMoment: tf.Tensor;
  readonly secondMoment: tf.Tensor;
}

/**
 * One step of Adam for one parameter, as one kernel where the backend has it:
 *
 *     m ← β₁ m + (1 − β₁) g     v ← β₂ v + (1 − β₂) g²
 *     Δθ = −η ((m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε) + λ θ)
 *
 * Kingma and Ba 2015, arXiv:1412.6980, algorithm 1; decoupled decay: Loshchilov and Hutter 2019, arXiv:1711.05101, algorithm 2.
 *
 * @throws ShapeError when the shapes differ
 */
export function adamUpdate(
  { gradient, firstMoment, secondMoment, parameter }: AdamUpdateArguments,
  { learningRate, beta1, beta2, epsilon, weightDecay = 0, firstCorrection, secondCorrection }: AdamUpdateOptions,
): AdamUpdateResult {
  for (const [name, tensor] of Object.entries({
    firstMoment,
    secondMoment,
    parameter: weightDecay === 0 ? undefined : (parameter ?? null),
  })) {
    if (tensor === undefined || (tensor !== null && tf.util.arraysEqual(tensor.shape, gradient.shape))) continue;
    const expected = `[${gradient.shape.join(', ')}]`;
    throw new ShapeError({
      where: 'adamUpdate',
      rule: `${name} must have the gradient's shape`,
      expected,
      got: tensor ? `[${tensor.shape.join(', ')}]` : 'none',
    });
  }
  return tf.tidy(() => {
    if (hasKernel('OstinatoAdam')) {
      const decayed = weightDecay === 0 ? tf.tensor1d([]) : parameter!;
      const [update, m, v] = runKernel(
        'OstinatoAdam',
        { gradient, firstMoment, secondMoment, parameter: decayed },
        { learningRate, beta1, beta2, epsilon, weightDecay, firstCorrection, secondCorrection },
      );
      return { update: update!, firstMoment: m!, secondMoment: v! };
    }
    const m = tf.add(tf.mul(firstMoment, beta1), tf.mul(gradient, 1 - beta1));
    const v = tf.add(tf.mul(secondMoment, beta2), tf.mul(tf.square(gradient), 1 - beta2));
    const direction = tf.div(tf.div(m, firstCorrection), tf.add(tf.sqrt(tf.div(v, secondCorrection)), epsilon));
    const decayed = weightDecay === 0 ? direction : tf.add(direction, tf.mul(parameter!, weightDecay));
    return { update: tf.mul(decayed, -learningRate), firstMoment: m, secondMoment: v };
  });
}
