import { checkNumber, type Initializer, initialParameter, Module, normal, Rng } from '@ostinato/core';
import { embeddingLookup } from '@ostinato/ops';
import * as tf from '@tensorflow/tfjs-core';
import { checkedOffset } from './alibi.ts';

/** Options of `relativeBuckets`. */
export interface RelativeBucketOptions {
  /** Whether keys behind the query have buckets of their own: in an encoder, not in a decoder. Default true. */
  readonly bidirectional?: boolean | undefined;
  /** Default 32. */
  readonly numBuckets?: number | undefined;
  /** Distances from here on share the last bucket. Default 128. */
  readonly maximumDistance?: number | undefined;
}

/**
 * Buckets of distances: with n = numBuckets (half of them for either direction when bidirectional), a bucket for each distance
 * below n/2, and buckets that grow with the logarithm up to `maximumDistance`.
 *
 * Raffel et al. 2020, arXiv:1910.10683, section 2.1; the edges are those of T5's code.
 *
 * @param distances key − query
 * @throws ArgumentError when numBuckets is too small, odd while bidirectional, or maximumDistance not above the exact ones
 */
export function relativeBuckets(
  distances: ArrayLike<number>,
  { bidirectional = true, numBuckets = 32, maximumDistance = 128 }: RelativeBucketOptions = {},
): Int32Array {
  const where = 'relativeBuckets';
  const perDirection = bidirectional ? numBuckets / 2 : numBuckets;
  checkNumber(where, bidirectional ? 'numBuckets / 2' : 'numBuckets', perDirection, { integer: true, min: 2 });
  const exact = Math.floor(perDirection / 2);
  checkNumber(where, 'maximumDistance', maximumDistance, { above: exact });
  return Int32Array.from(distances, key => {
    const side = bidirectional && key > 0 ? perDirection : 0;
    const distance = bidirectional ? Math.abs(key) : Math.max(-key, 0);
    if (distance < exact) return side + distance;
    const share = Math.log(distance / exact) / Math.log(maximumDistance / exact);
    // T5 computes in float32, where a bucket's edge may not round down.
    return side + Math.min(exact + Math.floor(Math.fround(share * (perDirection - exact))), perDirection - 1);
  });
}

/** Options of `RelativeBias`. */
export interface RelativeBiasOptions extends RelativeBucketOptions {
  readonly numHeads: number;
  /** Default: normal(1), as PyTorch's Embedding. */
  readonly initializer?: Initializer | undefined;
  /** Where the first values come from. Default `new Rng(0)`. */
  readonly rng?: Rng | undefined;
}

/** Options of `RelativeBias.call`. */
export interface RelativeBiasCallOptions {
  /** Tq */
  readonly queryTime: number;
  /** Tk. Default: queryTime. */
  readonly keyTime?: number | undefined;
  /** Position of the first query. Default: keyTime − queryTime. */
  readonly offset?: number | undefined;
}

/**
 * Learned bias by distance, as in T5: bias[h, i, j] = table[bucket(j − i), h]. See `relativeBuckets`. T5 shares one in all layers, and
 * does not divide its scores by √D: pass `scale: 1` to the attention for its weights.
 *
 * `table` is float32 [numBuckets, numHeads].
 *
 * Raffel et al. 2020, arXiv:1910.10683, section 2.1.
 */
export class RelativeBias extends Module {
  readonly numHeads: number;
  readonly bidirectional: boolean;
  readonly numBuckets: number;
  readonly maximumDistance: number;
  readonly table: tf.Variable;

  /** @throws ArgumentError when a number is out of range */
  constructor({
    numHeads,
    bidirectional = true,
    numBuckets = 32,
    maximumDistance = 128,
    initializer = normal(1),
    rng = new Rng(0),
  }: RelativeBiasOptions) {
    super();
    checkNumber('RelativeBias', 'numHeads', numHeads, { integer: true, min: 1 });
    relativeBuckets([], { bidirectional, numBuckets, maximumDistance });
    this.numHeads = numHeads;
    this.bidirectional = bidirectional;
    this.numBuckets = numBuckets;
    this.maximumDistance = maximumDistance;
    this.table = initialParameter('RelativeBias.table', [numBuckets, numHeads], shape =>
      initializer(shape, rng.split('table')),
    );
  }

  /**
   * The bias of every head: what `bias` of an attention takes.
   *
   * @returns float32 [numHeads, queryTime, keyTime]
   * @throws ArgumentError when a number is out of range
   */
  call({ queryTime, keyTime = queryTime, offset }: RelativeBiasCallOptions): tf.Tensor3D {
    const first = checkedOffset('RelativeBias.call', { queryTime, keyTime, offset });
    const distances = Array.from(
      { length: queryTime * keyTime },
      (_, i) => (i % keyTime) - first - Math.floor(i / keyTime),
    );
    return tf.tidy(() => {
      const buckets = tf.tensor1d(relativeBuckets(distances, this), 'int32');
      const biases = embeddingLookup({ table: this.table, ids: buckets }); // [Tq·Tk, H]
      return tf.reshape(tf.transpose(biases), [this.numHeads, queryTime, keyTime]);
    });
  }
}
