import * as tf from '@tensorflow/tfjs-core';
import { checkLastAxis, checkNumber, checkShape } from '../check.ts';
import { ShapeError } from '../errors.ts';
import { stopGradient } from '../gradient.ts';
import { type FusedOp, hasKernel, runFused, runKernel } from '../op.ts';

/** Kernel contract of `layerNorm`. */
const layerNormOp: FusedOp = {
  kernelName: 'OstinatoLayerNorm',
  inputs: ['input', 'gain', 'bias'],
  savedOutputs: [false, true, true],
  reserved: 2,
  gradient([dOutput], [input, gain, bias, mean, inverseDeviation], attributes) {
    const inputs = {
      input: input!,
      gain: gain!,
      bias: bias!,
      mean: mean!,
      inverseDeviation: inverseDeviation!,
      dOutput: dOutput!,
    };
    const [dInput, dGain, dBias] = runKernel('OstinatoLayerNormGrad', inputs, attributes);
    return { input: dInput!, gain: dGain!, bias: dBias! };
  },
};

/** Arguments of `layerNorm`. */
export interface LayerNormArguments {
  /** float32 [..., D]. */
  readonly input: tf.Tensor;
  /** γ, float32 [D]; ones when absent. */
  readonly gain?: tf.Tensor | undefined;
  /** β, float32 [D]; zeros when absent. */
  readonly bias?: tf.Tensor | undefined;
}

/**
 * Layer normalisation over the last axis: y = γ ∘ (x − μ) / √(σ² + ε) + β, with the biased variance σ².
 *
 * Ba, Kiros, Hinton 2016, arXiv:1607.06450, section 3.
 *
 * @returns float32 [..., D], of the input's shape
 * @throws ShapeError when gain or bias is not [D], or a tensor not float32; ArgumentError when epsilon is negative
 */
export function layerNorm(
  { input, gain, bias }: LayerNormArguments,
  { epsilon = 1e-5 }: { epsilon?: number | undefined } = {},
): tf.Tensor {
  checkNumber('layerNorm', 'epsilon', epsilon, { min: 0 });
  const width = input.shape.at(-1) ?? 0;
  if (input.rank < 1) throw new ShapeError({ where: 'layerNorm', rule: 'input must be [..., width]', got: '[]' });
  checkLastAxis('layerNorm', 'input', input, 'width', width);
  if (gain) checkShape('layerNorm', 'gain', gain, { width }, 'float32');
  if (bias) checkShape('layerNorm', 'bias', bias, { width }, 'float32');
  return tf.tidy(() => {
    if (hasKernel(layerNormOp.kernelName)) {
      const rows = input.rank === 2 ? input : tf.reshape(input, [-1, width]);
      const [output] = runFused(layerNormOp, { input: rows, gain, bias }, { epsilon });
      return input.rank === 2 ? output! : tf.reshape(output!, input.shape);
    }
    // A row less its first element has the same layer norm, and is exactly zero when the row is constant.
    const first = tf.slice(
      input,
      input.shape.map(() => 0),
      [...input.shape.slice(0, -1), 1],
    );
    const shifted = tf.sub(input, stopGradient(first)); // [..., D]
    const centred = tf.sub(shifted, tf.mean(shifted, -1, true)); // [..., D]
    const variance = tf.mean(tf.square(centred), -1, true); // [..., 1]
    const normalised = tf.div(centred, tf.sqrt(tf.add(variance, epsilon)));
    const scaled = gain ? tf.mul(normalised, gain) : normalised;
    return bias ? tf.add(scaled, bias) : scaled;
  });
}
