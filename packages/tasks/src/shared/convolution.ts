import { type CallOptions, Dropout, fanInUniform, initialParameter, Module, type Rng } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';

/** Options of `ConvolutionStack`. */
export interface ConvolutionStackOptions {
  readonly inputSize: number;
  /** Filters of each width. */
  readonly hiddenSize: number;
  readonly kernelSizes: readonly number[];
  readonly numLayers: number;
  /** Rate of dropout between layers. */
  readonly dropout: number;
  readonly rng: Rng;
}

/** Filters of one width: y = relu(x ∗ W + b). */
class Filters extends Module {
  /** float32 [width, inputSize, filters] */
  readonly weight: tf.Variable;
  /** float32 [filters] */
  readonly bias: tf.Variable;

  constructor({ width, inputSize, filters, rng }: { width: number; inputSize: number; filters: number; rng: Rng }) {
    super();
    const draw = fanInUniform(width * inputSize);
    this.weight = initialParameter('Convolution.weight', [width, inputSize, filters], shape =>
      draw(shape, rng.split('weight')),
    );
    this.bias = initialParameter('Convolution.bias', [filters], shape => draw(shape, rng.split('bias')));
  }

  call(input: tf.Tensor): tf.Tensor {
    const response = tf.conv1d(input as tf.Tensor3D, this.weight as unknown as tf.Tensor3D, 1, 'same');
    return tf.relu(tf.add(response, this.bias));
  }
}

/**
 * Convolutions over time with filters of several widths side by side, ⌊(width − 1)/2⌋ steps of context before and the rest after:
 * the encoder of Kim 2014, arXiv:1408.5882, section 2, with as many steps out as in.
 */
export class ConvolutionStack extends Module {
  readonly layers: readonly (readonly Filters[])[];
  readonly dropout: Dropout;
  readonly outputSize: number;

  constructor({ inputSize, hiddenSize, kernelSizes, numLayers, dropout, rng }: ConvolutionStackOptions) {
    super();
    this.outputSize = hiddenSize * kernelSizes.length;
    this.dropout = new Dropout({ rate: dropout });
    this.layers = Array.from({ length: numLayers }, (_, layer) =>
      kernelSizes.map((width, index) => {
        const filtersRng = rng.split(layer).split(index);
        const size = layer === 0 ? inputSize : this.outputSize;
        return new Filters({ width, inputSize: size, filters: hiddenSize, rng: filtersRng });
      }),
    );
  }

  /**
   * @param input float32 [batch, time, inputSize]
   * @param inside float32 [batch, time, 1]: what is padding is zero, before and behind every layer
   * @returns float32 [batch, time, outputSize]
   */
  call(input: tf.Tensor, inside: tf.Tensor, { training, rng }: CallOptions): tf.Tensor {
    return tf.tidy(() => {
      let x = tf.mul(input, inside);
      this.layers.forEach((filters, index) => {
        if (index > 0) x = this.dropout.call(x, { training, rng: rng?.split(index) });
        x = tf.mul(
          tf.concat(
            filters.map(bank => bank.call(x)),
            2,
          ),
          inside,
        ); // [B, T, widths · H]
      });
      return x;
    });
  }
}
