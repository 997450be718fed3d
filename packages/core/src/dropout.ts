import * as tf from '@tensorflow/tfjs-core';
import { checkNumber, checkShape } from './check.ts';
import { ArgumentError } from './errors.ts';
import { Module } from './module.ts';
import { applyMask, dropout, dropoutMask } from './ops/dropout.ts';
import type { Rng } from './rng.ts';

/** How a module runs: whether it is training, and the random stream of this step. */
export interface CallOptions {
  /** Default false: inference. */
  readonly training?: boolean | undefined;
  /**
   * Needed while training when the module has dropout. Give every step its own, `rng.split(step)`, and in a module with several
   * dropouts each its own, `rng.split('output')`: the same rng draws the same mask.
   */
  readonly rng?: Rng | undefined;
}

/** Options of `Dropout`. */
export interface DropoutLayerOptions {
  /** Probability of a zero, 0 ≤ rate < 1. */
  readonly rate: number;
  /** One mask for all time steps of a row. Default false. */
  readonly variational?: boolean | undefined;
}

/**
 * Dropout while training, the identity otherwise.
 *
 * Plain: one draw an element (Srivastava et al. 2014). Variational: one draw per row and feature, the same at every time
 * step of [batch, time, features] (Gal and Ghahramani 2016, arXiv:1512.05287, section 4).
 */
export class Dropout extends Module {
  readonly rate: number;
  readonly variational: boolean;

  /** @throws ArgumentError when rate is outside [0, 1) */
  constructor({ rate, variational = false }: DropoutLayerOptions) {
    super();
    checkNumber('Dropout', 'rate', rate, { min: 0, below: 1 });
    this.rate = rate;
    this.variational = variational;
  }

  /**
   * @param input float32, any shape; [batch, time, features] when variational
   * @returns float32, of the input's shape
   * @throws ArgumentError when training without an rng; ShapeError when the input is not float32, or variational and not [batch, time, features]
   */
  call(input: tf.Tensor, { training = false, rng }: CallOptions = {}): tf.Tensor {
    if (!training || this.rate === 0) return tf.clone(input);
    if (!rng) {
      throw new ArgumentError({
        where: 'Dropout.call',
        rule: 'training needs an rng',
        got: 'none',
        advice: 'Pass { training: true, rng: rng.split(step) }.',
      });
    }
    const options = { rate: this.rate, key: rng.key };
    if (!this.variational) return dropout(input, options);
    checkShape('Dropout.call', 'input', input, { batch: null, time: null, features: null }, 'float32');
    const [batch, , features] = input.shape as [number, number, number];
    return tf.tidy(() => applyMask(input, tf.tensor3d(dropoutMask(batch * features, options), [batch, 1, features])));
  }
}
