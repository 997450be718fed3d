import { ArgumentError, checkChoice, checkShape, Linear, Module, Rng } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';
import { insideMask, type Lengths, readLengths, stepMask } from './lengths.ts';

/** How the outputs of all steps become one vector. */
export const poolingNames = ['last', 'mean', 'max', 'attention'] as const;

/** Name of a pooling: see `poolingNames`. */
export type PoolingName = (typeof poolingNames)[number];

/** Options of `Pooling`. */
export interface PoolingOptions {
  readonly inputSize: number;
  /** One, or several side by side. */
  readonly kinds: readonly PoolingName[];
  /** How many of the last features were computed backward in time: the last step of those is step 0. Default 0. */
  readonly backwardSize?: number | undefined;
  /** Of the weights of attention. Default `new Rng(0)`. */
  readonly rng?: Rng | undefined;
}

/** Large enough that its exponential is zero, and finite, so that nothing becomes NaN. */
const hidden = -1e30;

/**
 * One vector for each row of a sequence, from the steps inside its length alone; a row of length 0 gives zeros.
 *
 *     last       x at the last step; of features read backward, at step 0
 *     mean       Σₜ xₜ / length
 *     max        the largest of each feature
 *     attention  Σₜ aₜ xₜ, a = softmaxₜ(v·tanh(W xₜ + b)): Yang et al. 2016, "Hierarchical attention networks", NAACL, section 2.2
 */
export class Pooling extends Module {
  readonly kinds: readonly PoolingName[];
  readonly inputSize: number;
  readonly outputSize: number;
  readonly backwardSize: number;
  /** W and b of attention. */
  readonly attentionHidden: Linear | null;
  /** v of attention. */
  readonly attentionScore: Linear | null;

  /** @throws ArgumentError when a kind is unknown, listed twice, or there is none */
  constructor({ inputSize, kinds, backwardSize = 0, rng = new Rng(0) }: PoolingOptions) {
    super();
    if (kinds.length === 0 || new Set(kinds).size < kinds.length) {
      const rule = 'there must be at least one pooling, each listed once';
      throw new ArgumentError({ where: 'Pooling', rule, got: JSON.stringify(kinds) });
    }
    for (const kind of kinds) checkChoice('Pooling', 'pooling', kind, poolingNames);
    this.kinds = kinds;
    this.inputSize = inputSize;
    this.outputSize = inputSize * kinds.length;
    this.backwardSize = backwardSize;
    const attends = kinds.includes('attention');
    this.attentionHidden = attends
      ? new Linear({ inputSize, outputSize: inputSize, rng: rng.split('attentionHidden') })
      : null;
    this.attentionScore = attends
      ? new Linear({ inputSize, outputSize: 1, bias: false, rng: rng.split('attentionScore') })
      : null;
  }

  /**
   * @param input float32 [batch, time, inputSize]
   * @returns float32 [batch, outputSize]
   * @throws ShapeError or ArgumentError when input or lengths do not fit
   */
  call(input: tf.Tensor, { lengths }: { readonly lengths?: Lengths | undefined } = {}): tf.Tensor {
    checkShape('Pooling.call', 'input', input, { batch: null, time: null, inputSize: this.inputSize }, 'float32');
    const [batch, time] = input.shape as [number, number, number];
    const ends = readLengths('Pooling.call', lengths, { batch, time });
    return tf.tidy(() => {
      const pooled = this.kinds.map(kind => this.#pool(kind, input, ends));
      return pooled.length === 1 ? pooled[0]! : tf.concat(pooled, 1);
    });
  }

  /** Weights of attention: float32 [batch, time], zero behind each length; null without attention. Parameters as `call`. */
  weights(input: tf.Tensor, { lengths }: { readonly lengths?: Lengths | undefined } = {}): tf.Tensor | null {
    if (!this.attentionHidden) return null;
    const [batch, time] = input.shape as [number, number, number];
    const ends = readLengths('Pooling.weights', lengths, { batch, time });
    return tf.tidy(() => tf.squeeze(this.#attend(input, ends), [2]));
  }

  #pool(kind: PoolingName, input: tf.Tensor, ends: Int32Array): tf.Tensor {
    const [batch, time, size] = input.shape as [number, number, number];
    if (kind === 'last') {
      const last = (x: tf.Tensor, steps: ArrayLike<number>): tf.Tensor => tf.sum(tf.mul(x, stepMask(steps, time)), 1);
      const ahead = size - this.backwardSize;
      const atEnd = ends.map(length => length - 1);
      if (this.backwardSize === 0) return last(input, atEnd);
      const atStart = ends.map(length => Math.min(length, 1) - 1);
      return tf.concat(
        [
          last(tf.slice(input, [0, 0, 0], [batch, time, ahead]), atEnd),
          last(tf.slice(input, [0, 0, ahead], [batch, time, this.backwardSize]), atStart),
        ],
        1,
      );
    }
    if (kind === 'attention') return tf.sum(tf.mul(input, this.#attend(input, ends)), 1);
    const inside = insideMask(ends, time); // [B, T, 1]
    if (kind === 'mean') {
      const counts = tf.tensor2d(
        Float32Array.from(ends, length => Math.max(1, length)),
        [batch, 1],
      );
      return tf.div(tf.sum(tf.mul(input, inside), 1), counts);
    }
    const some = tf.tensor2d(
      Float32Array.from(ends, length => Math.min(1, length)),
      [batch, 1],
    );
    return tf.mul(tf.max(outsideHidden(input, inside), 1), some);
  }

  /** float32 [batch, time, 1] */
  #attend(input: tf.Tensor, ends: Int32Array): tf.Tensor {
    const inside = insideMask(ends, input.shape[1]!);
    const scores = this.attentionScore!.call(tf.tanh(this.attentionHidden!.call(input))); // [B, T, 1]
    const weights = tf.softmax(tf.squeeze(outsideHidden(scores, inside), [2])); // [B, T]
    return tf.mul(tf.expandDims(weights, 2), inside);
  }
}

/** x inside, and far below everything behind it. What stands there must be finite. */
function outsideHidden(x: tf.Tensor, inside: tf.Tensor): tf.Tensor {
  return tf.add(x, tf.mul(tf.sub(inside, 1), -hidden)); // x + 0 is x
}
