import { layerNorm, linear, rmsNorm } from '@ostinato/core';
import { gelu, silu } from '@ostinato/ops';
import * as tf from '@tensorflow/tfjs-core';
import { type CaseResult, compareWithGradients, type Golden } from '../golden.ts';

const activations: Record<string, (x: tf.Tensor, config: Record<string, number>) => tf.Tensor> = {
  activation_elu: x => tf.elu(x),
  activation_gelu_exact: x => gelu(x),
  activation_gelu_tanh: x => gelu(x, { approximate: 'tanh' }),
  activation_leaky_relu: (x, { slope }) => tf.leakyRelu(x, slope),
  activation_log_sigmoid: x => tf.logSigmoid(x),
  activation_sigmoid: x => tf.sigmoid(x),
  activation_silu: x => silu(x),
  activation_softplus: x => tf.softplus(x),
  activation_tanh: x => tf.tanh(x),
};

const notThere: Record<string, string> = {
  activation_hardsigmoid: 'hard sigmoid',
  activation_mish: 'Mish',
  conv1d_causal: 'causal convolution',
  geglu: 'gated feed-forward (attention)',
  swiglu: 'gated feed-forward (attention)',
};

/** Cases of the folder `layers`. */
export function runLayersCase(golden: Golden): CaseResult {
  const name = golden.name.split('/').at(-1)!;
  const config = golden.config as unknown as Record<string, number>;
  if (name in notThere) return { skipped: notThere[name]! };
  if (name in activations) return compareWithGradients(golden, ({ x }) => ({ output: activations[name]!(x!, config) }));
  if (name.startsWith('layer_norm')) {
    // Two normalised axes are one axis of their product.
    const width = (golden.config as unknown as { normalized_shape: number[] }).normalized_shape.reduce((a, b) => a * b);
    return compareWithGradients(golden, ({ x, weight, bias }) => {
      const flat = (tensor?: tf.Tensor): tf.Tensor | undefined => tensor && tf.reshape(tensor, [-1, width]);
      const vector = (tensor?: tf.Tensor): tf.Tensor | undefined => tensor && tf.reshape(tensor, [width]);
      const output = layerNorm(
        { input: flat(x)!, gain: vector(weight), bias: vector(bias) },
        { epsilon: config['eps']! },
      );
      return { output: tf.reshape(output, x!.shape) };
    });
  }
  if (name.startsWith('rms_norm')) {
    return compareWithGradients(golden, ({ x, weight }) => ({
      output: rmsNorm({ input: x!, gain: weight }, { epsilon: config['eps']! }),
    }));
  }
  if (name === 'linear') {
    return compareWithGradients(golden, ({ x, weight, bias }) => ({
      output: linear(x!, tf.transpose(weight!), bias!),
    }));
  }
  if (name.startsWith('softmax')) {
    return compareWithGradients(golden, ({ x }) => {
      const scaled = tf.div(x!, config['temperature'] ?? 1);
      const outputs = { softmax: tf.softmax(scaled), log_softmax: tf.logSoftmax(scaled) };
      return 'logsumexp' in golden.outputs ? { ...outputs, logsumexp: tf.logSumExp(scaled, -1) } : outputs;
    });
  }
  return { skipped: name };
}

/** The cases of the folder `keras` that are no recurrent layer and no optimizer. */
export function runKerasLayerCase(golden: Golden): CaseResult {
  if (golden.name.endsWith('gelu')) {
    return compareWithGradients(golden, ({ x }) => ({ exact: gelu(x!), tanh: gelu(x!, { approximate: 'tanh' }) }));
  }
  const epsilon = (golden.config as unknown as { epsilon: number }).epsilon;
  return compareWithGradients(golden, ({ x, gamma, beta }) => ({
    output: layerNorm({ input: x!, gain: gamma, bias: beta }, { epsilon }),
  }));
}
