import { checkShape, type Linear, type RMSNorm } from '@ostinato/core';
import { type AttentionCache, cachedAttention, packedAttention, unpackedHeads } from '@ostinato/ops';
import * as tf from '@tensorflow/tfjs-core';
import {
  type AttentionCallOptions,
  type AttentionResult,
  attendHeads,
  type HeadOptions,
  Heads,
  type HeadTensors,
  turned,
  weightDropout,
} from './heads.ts';
import { resolveMask } from './mask.ts';
import { tidy } from './tidy.ts';

/** Options of `step`. */
export interface CachedStepOptions {
  /** How many steps each row has in the cache, int32 [batch]. */
  readonly lengths: tf.Tensor;
  /** Added to the scaled scores: float32, broadcastable to [batch, heads, time, maximumTime]. */
  readonly bias?: tf.Tensor | undefined;
  /** A step attends to the last so many, itself among them. Default: all. */
  readonly window?: number | undefined;
}

/**
 * Multi-head attention of a sequence to itself. Queries, keys and values come from one product, in this order side by side:
 * `queryKeyValue.weight` is float32 [size, (numHeads + 2 numKeyHeads) K], PyTorch's `in_proj_weight` transposed.
 *
 *     [Q K V] = x W      headᵢ = softmax(scale · Qᵢ Kᵢᵀ + bias) Vᵢ      output = [head₁ … headₙ] W
 *
 * Vaswani et al. 2017, arXiv:1706.03762, section 3.2.2.
 */
export class SelfAttention extends Heads {
  readonly queryKeyValue: Linear;
  readonly output: Linear;
  readonly queryNorm: RMSNorm | null;
  readonly keyNorm: RMSNorm | null;

  /** @throws ArgumentError when a size is not a positive integer, or heads do not divide */
  constructor(options: HeadOptions) {
    super('SelfAttention', options);
    const width = (this.numHeads + 2 * this.numKeyHeads) * this.headSize;
    this.queryKeyValue = this.projection(options, 'queryKeyValue', this.size, width);
    this.output = this.outputProjection(options);
    this.queryNorm = this.norm(options);
    this.keyNorm = this.norm(options);
  }

  /**
   * @param input float32 [batch, time, size]
   * @returns float32 [batch, time, size]
   * @throws ShapeError when the input or a mask does not fit; ArgumentError when training with dropout lacks an rng
   */
  call(input: tf.Tensor, options: AttentionCallOptions = {}): tf.Tensor {
    const where = 'SelfAttention.call';
    return tidy(() => {
      if (this.#changesHeads) return this.#run(input, options, false).output;
      const packed = this.#packed(where, input);
      const [batch, time] = packed.shape as [number, number, number];
      const { bias, keyLengths, ...mask } = resolveMask(where, options, { batch, queryTime: time, keyTime: time });
      const how = { scale: this.scale, ...mask, dropout: weightDropout(where, this.dropout, options) };
      const heads = { numHeads: this.numHeads, numKeyHeads: this.numKeyHeads };
      return this.output.call(packedAttention({ packed, bias, keyLengths }, { ...heads, ...how }));
    });
  }

  /** What `call` returns, and the weights. They take batch · heads · time² numbers. */
  withWeights(input: tf.Tensor, options: AttentionCallOptions = {}): AttentionResult {
    return tidy(() => this.#run(input, options, true) as AttentionResult);
  }

  /** A cache for so many steps, empty. The caller disposes it. */
  initialCache(batchSize: number, maximumTime: number): AttentionCache {
    const shape = [batchSize, this.numKeyHeads, maximumTime, this.headSize];
    return { key: tf.zeros(shape), value: tf.zeros(shape) };
  }

  /**
   * The next steps of every row: they attend to what the cache holds, and to themselves as far as they come earlier.
   *
   * @param input float32 [batch, time, size], or [batch, size] of one step
   * @param cache of `initialCache` or of an earlier call
   * @returns output float32, of the input's shape, and the cache with these steps; the old cache is still what it was
   * @throws ShapeError when a tensor does not fit; ArgumentError when the cache is full
   */
  step(
    input: tf.Tensor,
    cache: AttentionCache,
    { lengths, bias, window }: CachedStepOptions,
  ): { readonly output: tf.Tensor; readonly cache: AttentionCache } {
    const where = 'SelfAttention.step';
    if (input.rank === 2) checkShape(where, 'input', input, { batch: null, size: this.size }, 'float32');
    const rows = input.rank === 2 ? this.queryKeyValue.call(input) : this.#packed(where, input);
    // Disposed by hand: at one token a call, scopes are a good part of its time.
    const made = [rows];
    try {
      const packed = this.#changesHeads ? this.#changed(rows, lengths) : rows;
      if (packed !== rows) made.push(packed);
      const heads = { numHeads: this.numHeads, numKeyHeads: this.numKeyHeads, scale: this.scale, window };
      const result = cachedAttention({ packed, cache, lengths, bias }, heads);
      made.push(result.output);
      return { output: this.output.call(result.output), cache: result.cache };
    } finally {
      tf.dispose(made);
    }
  }

  /** New steps [B, T, ·] or [B, ·] with norms and rotary positions behind `lengths` steps. */
  #changed(packed: tf.Tensor, lengths: tf.Tensor): tf.Tensor {
    return tf.tidy(() => {
      const batch = packed.shape[0]!;
      const time = packed.rank === 2 ? 1 : packed.shape[1]!;
      const positions = this.rotary ? tf.add(tf.expandDims(lengths, 1), tf.range(0, time, 1, 'int32')) : undefined; // [B, T]
      const heads = this.#heads(tf.reshape(packed, [batch, time, -1]), { positions });
      return tf.reshape(this.#merge(heads), packed.shape);
    });
  }

  get #changesHeads(): boolean {
    return this.rotary !== null || this.queryNorm !== null;
  }

  #packed(where: string, input: tf.Tensor): tf.Tensor {
    checkShape(where, 'input', input, { batch: null, time: null, size: this.size }, 'float32');
    return this.queryKeyValue.call(input); // [B, T, (Hq + 2 Hk) K]
  }

  #heads(packed: tf.Tensor, options: Pick<AttentionCallOptions, 'offset' | 'positions'>): HeadTensors {
    const { query, key, value } = unpackedHeads(packed, { numHeads: this.numHeads, numKeyHeads: this.numKeyHeads });
    return {
      query: turned(this.queryNorm ? this.queryNorm.call(query) : query, this.rotary, options),
      key: turned(this.keyNorm ? this.keyNorm.call(key) : key, this.rotary, options),
      value,
    };
  }

  #merge({ query, key, value }: HeadTensors): tf.Tensor {
    const [batch, time] = query.shape as [number, number];
    return tf.concat(
      [query, key, value].map(part => tf.reshape(part, [batch, time, -1])),
      2,
    );
  }

  #run(input: tf.Tensor, options: AttentionCallOptions, returnWeights: boolean) {
    const where = 'SelfAttention.call';
    const heads = this.#heads(this.#packed(where, input), options);
    const { output, weights } = attendHeads(where, heads, this, { ...options, returnWeights });
    return { output: this.output.call(output), weights };
  }
}
