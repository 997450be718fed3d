import { TransformerEncoder } from '@ostinato/attention';
import { atPath, type CallOptions, type Complete, Linear, Module, type Rng } from '@ostinato/core';
import { LearnedPositions } from '@ostinato/embeddings';
import { GRU, LSTM, RNN } from '@ostinato/recurrent';
import * as tf from '@tensorflow/tfjs-core';
import type { ForecasterArchitecture, ForecasterConfig } from './config.ts';

/** Reads a window: float32 [batch, time, features] → float32 [batch, outputSize]. */
export type WindowEncoder = Module & { call(input: tf.Tensor, options?: CallOptions): tf.Tensor };

/** Last output of recurrent layers. */
class RecurrentEncoder extends Module {
  readonly layers: LSTM | GRU | RNN;

  constructor(layers: LSTM | GRU | RNN) {
    super();
    this.layers = layers;
  }

  call(input: tf.Tensor, options: CallOptions = {}): tf.Tensor {
    const { output } = atPath('layers', () => this.layers.call(input, options)); // [B, T, D]
    return lastStep(output);
  }
}

/** Last output of pre-norm transformer layers, which see the whole window, over a linear map of each row and learned positions. */
class AttentionEncoder extends Module {
  readonly input: Linear;
  readonly positions: LearnedPositions;
  readonly layers: TransformerEncoder;

  constructor(config: Complete<ForecasterConfig>, rng: Rng) {
    super();
    const { features, inputLength, hiddenSize: size, numHeads, numLayers, dropout } = config;
    this.input = new Linear({ inputSize: features, outputSize: size, rng: rng.split('input') });
    this.positions = new LearnedPositions({ maximumTime: inputLength, size, rng: rng.split('positions') });
    this.layers = new TransformerEncoder({
      ...{ size, numHeads, numLayers, dropout, feedForwardSize: 2 * size, preNorm: true },
      rng: rng.split('layers'),
    });
  }

  call(input: tf.Tensor, options: CallOptions = {}): tf.Tensor {
    const rows = atPath('positions', () => this.positions.call(this.input.call(input))); // [B, T, D]
    return lastStep(atPath('layers', () => this.layers.call(rows, options)));
  }
}

function lastStep(output: tf.Tensor): tf.Tensor {
  const [batch, time, size] = output.shape as [number, number, number];
  return tf.reshape(tf.slice(output, [0, time - 1, 0], [batch, 1, size]), [batch, size]);
}

type Build = (config: Complete<ForecasterConfig>, rng: Rng) => WindowEncoder;

const recurrent = ({ features: inputSize, hiddenSize, numLayers, dropout }: Complete<ForecasterConfig>, rng: Rng) => ({
  ...{ inputSize, hiddenSize, numLayers, dropout, rng },
});

/** Makes the network that a configuration names. */
export const windowEncoders: Readonly<Record<ForecasterArchitecture, Build>> = {
  lstm: (config, rng) => new RecurrentEncoder(new LSTM(recurrent(config, rng))),
  gru: (config, rng) => new RecurrentEncoder(new GRU(recurrent(config, rng))),
  rnn: (config, rng) => new RecurrentEncoder(new RNN(recurrent(config, rng))),
  transformer: (config, rng) => new AttentionEncoder(config, rng),
};
