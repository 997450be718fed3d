import { ArgumentError, type Complete, checkNumber, checkShape, hasKernel, runKernel } from '@ostinato/core';
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

const where = 'adamUpdate';

/**
 * One step of Adam for one parameter, as one kernel where the backend has it:
 *
 *     m ← β₁ m + (1 − β₁) g     v ← β₂ v + (1 − β₂) g²
 *     Δθ = −η ((m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε) + λ θ)
 *
 * Kingma and Ba 2015, arXiv:1412.6980, algorithm 1; decoupled decay: Loshchilov and Hutter 2019, arXiv:1711.05101, algorithm 2.
 *
 * Not differentiable: it is meant for the outside of a tape.
 *
 * @throws ShapeError when shapes differ or a tensor is not float32; ArgumentError when an option lies outside its range, or weight
 * decay comes without the parameter
 */
export function adamUpdate(
  { gradient, firstMoment, secondMoment, parameter }: AdamUpdateArguments,
  { learningRate, beta1, beta2, epsilon, weightDecay = 0, firstCorrection, secondCorrection }: AdamUpdateOptions,
): AdamUpdateResult {
  checkOptions({ learningRate, beta1, beta2, epsilon, weightDecay, firstCorrection, secondCorrection });
  checkAlike('gradient', gradient, gradient);
  checkAlike('firstMoment', firstMoment, gradient);
  checkAlike('secondMoment', secondMoment, gradient);
  const decayed = weightDecay === 0 ? undefined : parameter;
  if (decayed) checkAlike('parameter', decayed, gradient);
  else if (weightDecay !== 0) {
    throw new ArgumentError({ where, rule: 'weight decay needs the parameter', got: 'none' });
  }
  return tf.tidy(() => {
    if (hasKernel('OstinatoAdam')) {
      const [update, m, v] = runKernel(
        'OstinatoAdam',
        { gradient, firstMoment, secondMoment, parameter: decayed ?? tf.tensor1d([]) },
        { learningRate, beta1, beta2, epsilon, weightDecay, firstCorrection, secondCorrection },
      );
      return { update: update!, firstMoment: m!, secondMoment: v! };
    }
    const m = tf.add(tf.mul(firstMoment, beta1), tf.mul(gradient, 1 - beta1));
    const v = tf.add(tf.mul(secondMoment, beta2), tf.mul(tf.square(gradient), 1 - beta2));
    const direction = tf.div(tf.div(m, firstCorrection), tf.add(tf.sqrt(tf.div(v, secondCorrection)), epsilon));
    const descent = decayed ? tf.add(direction, tf.mul(decayed, weightDecay)) : direction;
    return { update: tf.mul(descent, -learningRate), firstMoment: m, secondMoment: v };
  });
}

function checkOptions(options: Complete<AdamUpdateOptions>): void {
  checkNumber(where, 'learningRate', options.learningRate);
  checkNumber(where, 'beta1', options.beta1, { min: 0, below: 1 });
  checkNumber(where, 'beta2', options.beta2, { min: 0, below: 1 });
  checkNumber(where, 'epsilon', options.epsilon, { min: 0 });
  checkNumber(where, 'weightDecay', options.weightDecay, { min: 0 });
  checkNumber(where, 'firstCorrection', options.firstCorrection, { above: 0, max: 1 });
  checkNumber(where, 'secondCorrection', options.secondCorrection, { above: 0, max: 1 });
}

function checkAlike(name: string, tensor: tf.Tensor, gradient: tf.Tensor): void {
  checkShape(where, name, tensor, Object.fromEntries(gradient.shape.map((size, i) => [`axis${i}`, size])), 'float32');
}
