import {
  atPath,
  type CallOptions,
  type Complete,
  checkShape,
  Dropout,
  Linear,
  Module,
  Rng,
  variable,
} from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';
import { completeConfig, type ForecasterConfig, quantileLevels } from './config.ts';
import { type WindowEncoder, windowEncoders } from './encoders.ts';
import { orderedQuantiles } from './quantiles.ts';

/** Options of `Forecaster`: its configuration, and where the first weights come from. */
export interface ForecasterOptions extends ForecasterConfig {
  /** Default `new Rng(0)`. */
  readonly rng?: Rng | undefined;
}

/**
 * Tells the next H rows of a series from the last ones, as quantiles, all rows at once:
 *
 *     x = (d − μ) / σ,  d_t = T(y_t) − T(y_{t−m});   q = ordered(W dropout(encoder(x)) + b);   ŷ_{t+h} = T⁻¹(anchor + k μ + σ (q + c))
 *
 * with T the transform, m the season, μ and σ those of the window or of the training part, anchor the last known value of the same
 * season, k seasons back, and c the correction that `calibrate` finds. The network sees and tells numbers of the size of 1, whatever the units; since T
 * rises, quantiles of x are quantiles of y. Quantiles never cross: see `orderedQuantiles`.
 *
 * Direct forecasts of several steps by quantiles: Wen et al. 2017, "A multi-horizon quantile recurrent forecaster", arXiv:1711.11053.
 */
export class Forecaster extends Module {
  readonly config: Complete<ForecasterConfig>;
  readonly encoder: WindowEncoder;
  readonly dropout: Dropout;
  readonly output: Linear;
  /** float32 [horizon, targets, quantiles], not trained: what `calibrate` adds to the quantiles. */
  readonly correction: tf.Variable;

  /** @throws ArgumentError when an option does not fit */
  constructor({ rng = new Rng(0), ...config }: ForecasterOptions) {
    super();
    this.config = completeConfig(config);
    const { architecture, hiddenSize, horizon, targets, dropout } = this.config;
    this.encoder = windowEncoders[architecture](this.config, rng.split('encoder'));
    this.dropout = new Dropout({ rate: dropout });
    const outputs = horizon * targets.length * this.levels.length;
    this.output = new Linear({ inputSize: hiddenSize, outputSize: outputs, rng: rng.split('output') });
    this.correction = variable(tf.zeros([horizon, targets.length, this.levels.length]), false);
  }

  /** Levels of the quantiles, rising, the median in the middle. */
  get levels(): number[] {
    return quantileLevels(this.config.intervals);
  }

  /** Rows of history that a forecast needs: inputLength, and one season more where differences are taken. */
  get historyLength(): number {
    return this.config.inputLength + this.config.season;
  }

  /**
   * Quantiles in the network's own numbers, without the correction.
   *
   * @param inputs float32 [batch, inputLength, features], normalised
   * @returns float32 [batch, horizon, targets, quantiles], rising along the last axis
   * @throws ShapeError when the inputs do not fit; ArgumentError when training with dropout lacks an rng
   */
  call(inputs: tf.Tensor, { training, rng }: CallOptions = {}): tf.Tensor {
    const { inputLength, features, horizon, targets } = this.config;
    checkShape('Forecaster.call', 'inputs', inputs, { batch: null, inputLength, features }, 'float32');
    return tf.tidy(() => {
      const read = atPath('encoder', () => this.encoder.call(inputs, { training, rng: rng?.split('encoder') })); // [B, D]
      const dropped = this.dropout.call(read, { training, rng: rng?.split('dropout') });
      const raw = atPath('output', () => this.output.call(dropped)); // [B, H K Q]
      return orderedQuantiles(tf.reshape(raw, [-1, horizon, targets.length, this.levels.length]));
    });
  }
}
