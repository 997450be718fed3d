import { TransformerEncoder } from '@ostinato/attention';
import {
  atPath,
  type CallOptions,
  checkShape,
  fanInUniform,
  initialParameter,
  LayerNorm,
  Linear,
  Module,
  type Rng,
} from '@ostinato/core';
import { LearnedPositions } from '@ostinato/embeddings';
import * as tf from '@tensorflow/tfjs-core';
import type { CompleteCaptionerConfig } from './config.ts';

/** A layer that halves a picture: y = relu(norm(x ∗ W)), 3×3 with stride 2; the norm is over the channels of each pixel. */
class HalvingConvolution extends Module {
  /** float32 [3, 3, in, out] */
  readonly weight: tf.Variable;
  readonly norm: LayerNorm;

  constructor({ from, to, rng }: { readonly from: number; readonly to: number; readonly rng: Rng }) {
    super();
    this.weight = initialParameter('HalvingConvolution.weight', [3, 3, from, to], shape =>
      fanInUniform(9 * from)(shape, rng),
    );
    this.norm = new LayerNorm({ size: to });
  }

  /** float32 [batch, height, width, in] → [batch, height / 2, width / 2, out] */
  call(input: tf.Tensor): tf.Tensor {
    return tf.tidy(() => {
      const response = tf.conv2d(input as tf.Tensor4D, this.weight as unknown as tf.Tensor4D, 2, 'same');
      return tf.relu(this.norm.call(response));
    });
  }
}

/**
 * What a decoder sees of a picture: a vector for each place of a grid, or for each given feature.
 *
 *     convolution:  m = W · layers(x) + position        patches:  m = transformer(W · patch + position)        features:  m = W · f
 *
 * Pixels come as 0 … 1 and are read as (x − ½) · 4, about variance 1.
 */
export class PictureEncoder extends Module {
  readonly config: CompleteCaptionerConfig;
  /** Places of the memory, as [rows, columns]; of features [1, positions]. */
  readonly grid: readonly [rows: number, columns: number];
  readonly layers: readonly HalvingConvolution[];
  readonly projection: Linear;
  readonly positions: LearnedPositions | null;
  readonly transformer: TransformerEncoder | null;

  constructor(config: CompleteCaptionerConfig, rng: Rng) {
    super();
    this.config = config;
    const { encoder, side, channels, patchSize, featureSize, size, numHeads, encoderLayers, dropout } = config;
    const cells = encoder === 'convolution' ? side / 2 ** channels.length : side / patchSize;
    this.grid = encoder === 'features' ? [1, config.positions] : [cells, cells];
    const widths = [3, ...channels];
    this.layers =
      encoder === 'convolution'
        ? channels.map((to, i) => new HalvingConvolution({ from: widths[i]!, to, rng: rng.split('layers').split(i) }))
        : [];
    const read = { convolution: channels.at(-1)!, patches: 3 * patchSize ** 2, features: featureSize }[encoder];
    this.projection = new Linear({ inputSize: read, outputSize: size, rng: rng.split('projection') });
    const places = this.grid[0] * this.grid[1];
    this.positions =
      encoder === 'features' ? null : new LearnedPositions({ maximumTime: places, size, rng: rng.split('positions') });
    this.transformer =
      encoder === 'patches'
        ? new TransformerEncoder({
            ...{ size, numHeads, feedForwardSize: 2 * size, numLayers: encoderLayers, preNorm: true, dropout },
            ...{ activation: 'gelu', rng: rng.split('transformer') },
          })
        : null;
  }

  /**
   * @param pictures float32 [batch, side, side, 3], 0 … 1; of `features` float32 [batch, positions, featureSize]
   * @returns float32 [batch, places, size]
   * @throws ShapeError when the tensor does not fit
   */
  call(pictures: tf.Tensor, options: CallOptions = {}): tf.Tensor {
    const { encoder, side, positions, featureSize, patchSize } = this.config;
    const axes =
      encoder === 'features'
        ? { batch: null, positions, featureSize }
        : { batch: null, height: side, width: side, channels: 3 };
    checkShape('PictureEncoder.call', 'pictures', pictures, axes, 'float32');
    return tf.tidy(() => {
      if (encoder === 'features') return this.projection.call(pictures);
      const batch = pictures.shape[0]!;
      let x: tf.Tensor = tf.mul(tf.sub(pictures, 0.5), 4);
      if (encoder === 'convolution') {
        this.layers.forEach((layer, i) => {
          x = atPath(`layers.${i}`, () => layer.call(x));
        });
        x = tf.reshape(x, [batch, this.grid[0] * this.grid[1], -1]);
      } else x = patchesOf(x, patchSize);
      const placed = this.positions!.call(this.projection.call(x)); // [B, P, D]
      return this.transformer ? atPath('transformer', () => this.transformer!.call(placed, options)) : placed;
    });
  }
}

/** float32 [batch, side, side, 3] → [batch, patches, 3 · size²], row after row. */
function patchesOf(pictures: tf.Tensor, size: number): tf.Tensor {
  const [batch, side] = pictures.shape as [number, number];
  const cells = side / size;
  const cut = tf.reshape(pictures, [batch, cells, size, cells, size * 3]);
  return tf.reshape(tf.transpose(cut, [0, 1, 3, 2, 4]), [batch, cells * cells, 3 * size * size]);
}
