import { checkChoice, checkNumber, checkShape, Module } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';
import { checkPositions, type PositionOptions, range, waves } from './positions.ts';

/** Options of `SinusoidalPositions`. */
export interface SinusoidalOptions {
  /** D, width of the vectors: even. */
  readonly size: number;
  /** Default 10000. */
  readonly base?: number | undefined;
  /**
   * `'interleaved'`: sine and cosine alternate, with the frequencies base^(−2i/D), as in the paper. `'halves'`: all sines, then all
   * cosines, with base^(−i/(D/2 − 1)), as in tensor2tensor and fairseq. Default `'interleaved'`.
   */
  readonly layout?: 'interleaved' | 'halves' | undefined;
}

/**
 * Sinusoidal positions, added to the vectors of tokens. There is nothing to learn and no longest position.
 *
 *     PE[t, 2i] = sin(t · base^(−2i/D))      PE[t, 2i + 1] = cos(t · base^(−2i/D))
 *
 * Vaswani et al. 2017, arXiv:1706.03762, section 3.5.
 */
export class SinusoidalPositions extends Module {
  readonly size: number;
  readonly base: number;
  readonly layout: 'interleaved' | 'halves';

  /** @throws ArgumentError when size is not even and positive (for `'halves'`: at least 4), or the layout unknown */
  constructor({ size, base = 10_000, layout = 'interleaved' }: SinusoidalOptions) {
    super();
    checkChoice('SinusoidalPositions', 'layout', layout, ['interleaved', 'halves']);
    checkNumber('SinusoidalPositions', 'size / 2', size / 2, { integer: true, min: layout === 'halves' ? 2 : 1 });
    checkNumber('SinusoidalPositions', 'base', base, { above: 0 });
    this.size = size;
    this.base = base;
    this.layout = layout;
  }

  /**
   * x + PE.
   *
   * @param input float32 [batch, time, size]
   * @returns float32 [batch, time, size]
   * @throws ShapeError when the input or the positions do not fit; ArgumentError when the offset is negative
   */
  call(input: tf.Tensor, options: PositionOptions = {}): tf.Tensor {
    const where = 'SinusoidalPositions.call';
    checkShape(where, 'input', input, { batch: null, time: null, size: this.size }, 'float32');
    const [batch, time] = input.shape as [number, number, number];
    const perRow = checkPositions(where, options, { batch, time });
    const { offset = 0, positions } = options;
    return tf.tidy(() => {
      if (!positions) return tf.add(input, this.table(time, offset));
      const angles = tf.mul(tf.reshape(tf.cast(positions, 'float32'), [-1, 1]), tf.tensor1d(this.#frequencies()));
      const table = this.#arrange(tf.sin(angles), tf.cos(angles)); // [B·T or T, D]
      return tf.add(input, perRow ? tf.reshape(table, input.shape) : table);
    });
  }

  /** PE of the positions offset … offset + time − 1: float32 [time, size]. */
  table(time: number, offset = 0): tf.Tensor2D {
    const [positions, frequencies] = [range(offset, time), this.#frequencies()];
    return tf.tidy(() => this.#arrange(waves(positions, frequencies, 'sin'), waves(positions, frequencies, 'cos')));
  }

  #frequencies(): number[] {
    const half = this.size / 2;
    const divisor = this.layout === 'halves' ? half - 1 : half;
    return Array.from({ length: half }, (_, i) => this.base ** (-i / divisor));
  }

  /** Sines and cosines [N, D/2] → [N, D]. */
  #arrange(sines: tf.Tensor, cosines: tf.Tensor): tf.Tensor2D {
    const together = this.layout === 'halves' ? tf.concat([sines, cosines], 1) : tf.stack([sines, cosines], 2);
    return tf.reshape(together, [-1, this.size]) as tf.Tensor2D;
  }
}
