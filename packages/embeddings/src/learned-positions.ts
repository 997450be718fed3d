import { checkNumber, checkShape, type Initializer, initialParameter, Module, normal, Rng } from '@ostinato/core';
import { embeddingLookup } from '@ostinato/ops';
import * as tf from '@tensorflow/tfjs-core';
import { checkPositions, type PositionOptions } from './positions.ts';

/** Options of `LearnedPositions`. */
export interface LearnedPositionsOptions {
  /** How many positions there are. */
  readonly maximumTime: number;
  /** D, width of the vectors. */
  readonly size: number;
  /** Default: normal(0.02), as in BERT and GPT-2. */
  readonly initializer?: Initializer | undefined;
  /** Where the first vectors come from. Default `new Rng(0)`. */
  readonly rng?: Rng | undefined;
}

/**
 * Learned positions: one vector per position, added to the vectors of tokens.
 *
 * `table` is float32 [maximumTime, size].
 *
 * Gehring et al. 2017, arXiv:1705.03122, section 3.1.
 */
export class LearnedPositions extends Module {
  readonly maximumTime: number;
  readonly size: number;
  readonly table: tf.Variable;

  /** @throws ArgumentError when a size is not a positive integer */
  constructor({ maximumTime, size, initializer = normal(0.02), rng = new Rng(0) }: LearnedPositionsOptions) {
    super();
    checkNumber('LearnedPositions', 'maximumTime', maximumTime, { integer: true, min: 1 });
    checkNumber('LearnedPositions', 'size', size, { integer: true, min: 1 });
    this.maximumTime = maximumTime;
    this.size = size;
    this.table = initialParameter('LearnedPositions.table', [maximumTime, size], shape =>
      initializer(shape, rng.split('table')),
    );
  }

  /** P[positions], not added to anything: int32 of any shape → float32 [...positions, size]. */
  vectors(positions: tf.Tensor): tf.Tensor {
    return embeddingLookup({ table: this.table, ids: positions });
  }

  /**
   * x + P[positions].
   *
   * @param input float32 [batch, time, size]
   * @returns float32 [batch, time, size]
   * @throws ShapeError when the input or the positions do not fit; ArgumentError when there are not so many positions
   */
  call(input: tf.Tensor, options: PositionOptions = {}): tf.Tensor {
    const where = 'LearnedPositions.call';
    checkShape(where, 'input', input, { batch: null, time: null, size: this.size }, 'float32');
    const [batch, time] = input.shape as [number, number, number];
    checkNumber(where, 'time', time, { max: this.maximumTime });
    checkPositions(where, options, { batch, time, limit: this.maximumTime });
    const { offset = 0, positions } = options;
    return tf.tidy(() => {
      if (positions) return tf.add(input, this.vectors(positions));
      return tf.add(input, tf.slice(this.table, [offset, 0], [time, this.size]));
    });
  }
}
