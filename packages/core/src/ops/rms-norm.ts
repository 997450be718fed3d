import * as tf from '@tensorflow/tfjs-core';
import { checkLastAxis, checkNumber, checkShape } from '../check.ts';
import { ShapeError } from '../errors.ts';
import { type FusedOp, hasKernel, runFused, runKernel } from '../op.ts';

/** Kernel contract of `rmsNorm`. */
const rmsNormOp: FusedOp = {
  kernelName: 'OstinatoRmsNorm',
  inputs: ['input', 'gain'],
  savedOutputs: [false, true],
  reserved: 1,
  gradient([dOutput], [input, gain, inverseRms], attributes) {
    const inputs = { input: input!, gain: gain!, inverseRms: inverseRms!, dOutput: dOutput! };
    const [dInput, dGain] = runKernel('OstinatoRmsNormGrad', inputs, attributes);
    return { input: dInput!, gain: dGain! };
  },
};

/** Arguments of `rmsNorm`. */
export interface RmsNormArguments {
  /** float32 [..., D]. */
  readonly input: tf.Tensor;
  /** g, float32 [D]; ones when absent. */
  readonly gain?: tf.Tensor | undefined;
}

/**
 * Root mean square normalisation over the last axis: y = g ∘ x / √(mean(x²) + ε).
 *
 * Zhang and Sennrich 2019, arXiv:1910.07467, equation 4.
 *
 * @returns float32 [..., D], of the input's shape
 * @throws ShapeError when gain is not [D], or a tensor not float32; ArgumentError when epsilon is negative
 */
export function rmsNorm(
  { input, gain }: RmsNormArguments,
  { epsilon = 1e-6 }: { epsilon?: number | undefined } = {},
): tf.Tensor {
  checkNumber('rmsNorm', 'epsilon', epsilon, { min: 0 });
  const width = input.shape.at(-1) ?? 0;
  if (input.rank < 1) throw new ShapeError({ where: 'rmsNorm', rule: 'input must be [..., width]', got: '[]' });
  checkLastAxis('rmsNorm', 'input', input, 'width', width);
  if (gain) checkShape('rmsNorm', 'gain', gain, { width }, 'float32');
  return tf.tidy(() => {
    if (hasKernel(rmsNormOp.kernelName)) {
      const rows = input.rank === 2 ? input : tf.reshape(input, [-1, width]);
      const [output] = runFused(rmsNormOp, { input: rows, gain }, { epsilon });
      return input.rank === 2 ? output! : tf.reshape(output!, input.shape);
    }
    const normalised = tf.div(input, tf.sqrt(tf.add(tf.mean(tf.square(input), -1, true), epsilon)));
    return gain ? tf.mul(normalised, gain) : normalised;
  });
}
