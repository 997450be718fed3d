import { checkChoice, type FusedOp, hasKernel, runFused, runKernel } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';
import { checkDtype } from './check.ts';

/** Kernel contract of `gelu`. */
const geluOp: FusedOp = {
  kernelName: 'OstinatoGelu',
  inputs: ['input'],
  savedOutputs: [false],
  gradient([dOutput], [input], attributes) {
    const [dInput] = runKernel('OstinatoGeluGrad', { input: input!, dOutput: dOutput! }, attributes);
    return { input: dInput! };
  },
};

/** Options of `gelu`. */
export interface GeluOptions {
  /** `'none'`: with the error function; `'tanh'`: the approximation of the paper. Default `'none'`. */
  readonly approximate?: 'none' | 'tanh' | undefined;
}

/**
 * Gaussian error linear unit: x Φ(x), with Φ the normal distribution function; or, with `approximate: 'tanh'`,
 * 0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³))).
 *
 * Hendrycks and Gimpel 2016, arXiv:1606.08415.
 *
 * @returns float32, of the input's shape
 * @throws ShapeError when the input is not float32; ArgumentError when `approximate` is something else
 */
export function gelu(input: tf.Tensor, { approximate = 'none' }: GeluOptions = {}): tf.Tensor {
  checkDtype('gelu', 'input', input, 'float32');
  checkChoice('gelu', 'approximate', approximate, ['none', 'tanh']);
  return tf.tidy(() => {
    if (hasKernel(geluOp.kernelName)) return runFused(geluOp, { input }, { approximate })[0]!;
    if (approximate === 'none') return tf.mul(tf.mul(input, 0.5), tf.add(1, tf.erf(tf.mul(input, Math.SQRT1_2))));
    const cubic = tf.add(input, tf.mul(0.044715, tf.mul(input, tf.square(input))));
    return tf.mul(tf.mul(input, 0.5), tf.add(1, tf.tanh(tf.mul(cubic, Math.sqrt(2 / Math.PI)))));
  });
}
