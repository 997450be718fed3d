import type * as tf from '@tensorflow/tfjs-core';
import { checkLastAxis, checkNumber } from './check.ts';
import { ones, zeros } from './initializers.ts';
import { variable } from './linear.ts';
import { Module } from './module.ts';
import { layerNorm } from './ops/layer-norm.ts';
import { rmsNorm } from './ops/rms-norm.ts';
import { Rng } from './rng.ts';

/** Options of `LayerNorm`. */
export interface LayerNormOptions {
  /** Width of the last axis, which is normalised. */
  readonly size: number;
  /** Added to the variance. Default 1e-5, as PyTorch (Keras: 1e-3). */
  readonly epsilon?: number | undefined;
  /** Whether there is a gain γ. Default true. */
  readonly gain?: boolean | undefined;
  /** Whether there is a bias β. Default true. */
  readonly bias?: boolean | undefined;
}

/** Layer normalisation with learned gain and bias: see `layerNorm` for the equation and the source. */
export class LayerNorm extends Module {
  readonly size: number;
  readonly epsilon: number;
  readonly gain: tf.Variable | null;
  readonly bias: tf.Variable | null;

  constructor({ size, epsilon = 1e-5, gain = true, bias = true }: LayerNormOptions) {
    super();
    checkNumber('LayerNorm', 'size', size, { integer: true, min: 1 });
    checkNumber('LayerNorm', 'epsilon', epsilon, { min: 0 });
    this.size = size;
    this.epsilon = epsilon;
    this.gain = gain ? variable(ones([size], new Rng(0))) : null;
    this.bias = bias ? variable(zeros([size], new Rng(0))) : null;
  }

  /** float32 [..., size] → float32 [..., size]. Throws ShapeError when the last axis is not `size`. */
  call(input: tf.Tensor): tf.Tensor {
    checkLastAxis('LayerNorm.call', 'input', input, 'size', this.size);
    return layerNorm({ input, gain: this.gain ?? undefined, bias: this.bias ?? undefined }, { epsilon: this.epsilon });
  }
}

/** Options of `RMSNorm`. */
export interface RMSNormOptions {
  readonly size: number;
  /** Added to the mean square. Default 1e-6, as LLaMA; PyTorch's is the machine epsilon, 1.2e-7. */
  readonly epsilon?: number | undefined;
}

/** Root mean square normalisation with learned gain: see `rmsNorm` for the equation and the source. */
export class RMSNorm extends Module {
  readonly size: number;
  readonly epsilon: number;
  readonly gain: tf.Variable;

  constructor({ size, epsilon = 1e-6 }: RMSNormOptions) {
    super();
    checkNumber('RMSNorm', 'size', size, { integer: true, min: 1 });
    checkNumber('RMSNorm', 'epsilon', epsilon, { min: 0 });
    this.size = size;
    this.epsilon = epsilon;
    this.gain = variable(ones([size], new Rng(0)));
  }

  /** float32 [..., size] → float32 [..., size]. Throws ShapeError when the last axis is not `size`. */
  call(input: tf.Tensor): tf.Tensor {
    checkLastAxis('RMSNorm.call', 'input', input, 'size', this.size);
    return rmsNorm({ input, gain: this.gain }, { epsilon: this.epsilon });
  }
}
