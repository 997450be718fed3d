import {
  atPath,
  checkNumber,
  checkShape,
  glorotUniform,
  type Initializer,
  Linear,
  Module,
  Rng,
  zeros,
} from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';
import {
  type AttendedMemory,
  type ContextResult,
  checkMemory,
  contextOf,
  type MemoryAttention,
  type MemoryAttentionCallOptions,
} from './memory-attention.ts';

import { tidy } from './tidy.ts';

/** Options of `AdditiveAttention`. */
export interface AdditiveAttentionOptions {
  /** Width of the queries: the decoder's state. */
  readonly querySize: number;
  /** Width of the memory: the encoder's output. Default: querySize. */
  readonly memorySize?: number | undefined;
  /** A, width in which both are compared. Default: querySize. */
  readonly attentionSize?: number | undefined;
  /** Whether the sum has a bias b. Default true. */
  readonly bias?: boolean | undefined;
  /** Default: Glorot uniform. */
  readonly weightInitializer?: Initializer | undefined;
  /** Where the first weights come from. Default `new Rng(0)`. */
  readonly rng?: Rng | undefined;
}

/**
 * Additive attention: a small network compares the query with every step of a memory.
 *
 *     eⱼ = v · tanh(W q + U mⱼ + b)      weights = softmax(e)      context = Σ weightsⱼ mⱼ
 *
 * Fields: `query` is W, `key` U and b, `score` v.
 *
 * Bahdanau, Cho, Bengio 2015, arXiv:1409.0473, appendix A.1.2.
 */
export class AdditiveAttention extends Module implements MemoryAttention {
  readonly querySize: number;
  readonly memorySize: number;
  readonly query: Linear;
  readonly key: Linear;
  readonly score: Linear;

  /** @throws ArgumentError when a size is not a positive integer */
  constructor({
    querySize,
    memorySize = querySize,
    attentionSize = querySize,
    bias = true,
    weightInitializer = glorotUniform,
    rng = new Rng(0),
  }: AdditiveAttentionOptions) {
    super();
    checkNumber('AdditiveAttention', 'querySize', querySize, { integer: true, min: 1 });
    checkNumber('AdditiveAttention', 'memorySize', memorySize, { integer: true, min: 1 });
    checkNumber('AdditiveAttention', 'attentionSize', attentionSize, { integer: true, min: 1 });
    this.querySize = querySize;
    this.memorySize = memorySize;
    const layer = (name: string, inputSize: number, outputSize: number, hasBias: boolean): Linear =>
      new Linear({
        ...{ inputSize, outputSize, bias: hasBias, weightInitializer, biasInitializer: zeros, rng: rng.split(name) },
      });
    this.query = layer('query', querySize, attentionSize, false);
    this.key = layer('key', memorySize, attentionSize, bias);
    this.score = layer('score', attentionSize, 1, false);
  }

  /**
   * @param query float32 [batch, queries, querySize]
   * @param memory float32 [batch, source, memorySize]
   * @throws ShapeError when a tensor does not fit; ArgumentError when a length does not
   */
  call(query: tf.Tensor, memory: tf.Tensor, options: MemoryAttentionCallOptions = {}): ContextResult {
    return tidy(() => this.attend(query, { memory, keys: this.project(memory) }, options));
  }

  /** U m + b: float32 [batch, source, attentionSize]. */
  project(memory: tf.Tensor): tf.Tensor {
    const axes = { batch: null, source: null, memorySize: this.memorySize };
    checkShape('AdditiveAttention.project', 'memory', memory, axes, 'float32');
    return atPath('key', () => this.key.call(memory));
  }

  /** What `call` returns, for keys that are projected already. */
  attend(query: tf.Tensor, { memory, keys }: AttendedMemory, options: MemoryAttentionCallOptions = {}): ContextResult {
    checkMemory('AdditiveAttention.call', query, memory, this);
    return tidy(() => {
      const compared = tf.add(tf.expandDims(this.query.call(query), 2), tf.expandDims(keys, 1)); // [B, Tq, S, A]
      const scores = tf.squeeze(this.score.call(tf.tanh(compared)), [3]); // [B, Tq, S]
      return contextOf('AdditiveAttention.call', scores, memory, options);
    });
  }
}
