import { type FusedOp, hasKernel, runFused, runKernel } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';
import { checkDtype } from './check.ts';

/** Kernel contract of `silu`. */
const siluOp: FusedOp = {
  kernelName: 'OstinatoSilu',
  inputs: ['input'],
  savedOutputs: [false],
  gradient([dOutput], [input]) {
    const [dInput] = runKernel('OstinatoSiluGrad', { input: input!, dOutput: dOutput! });
    return { input: dInput! };
  },
};

/**
 * Sigmoid linear unit, also called swish: x σ(x).
 *
 * Hendrycks and Gimpel 2016, arXiv:1606.08415, section 2; Ramachandran, Zoph, Le 2017, arXiv:1710.05941.
 *
 * @returns float32, of the input's shape
 * @throws ShapeError when the input is not float32
 */
export function silu(input: tf.Tensor): tf.Tensor {
  checkDtype('silu', 'input', input, 'float32');
  return tf.tidy(() =>
    hasKernel(siluOp.kernelName) ? runFused(siluOp, { input }, {})[0]! : tf.mul(input, tf.sigmoid(input)),
  );
}
