import { atPath, checkNumber, checkShape, type Linear, type RMSNorm } from '@ostinato/core';
import type * as tf from '@tensorflow/tfjs-core';
import {
  type AttentionCallOptions,
  type AttentionResult,
  attendHeads,
  type HeadOptions,
  Heads,
  type HeadTensors,
  splitHeads,
  turned,
} from './heads.ts';

import { tidy } from './tidy.ts';

/** Options of `MultiHeadAttention`. */
export interface MultiHeadAttentionOptions extends HeadOptions {
  /** Width of the keys that come in. PyTorch: `kdim`. Default: size. */
  readonly keySize?: number | undefined;
  /** Width of the values that come in. PyTorch: `vdim`. Default: keySize. */
  readonly valueSize?: number | undefined;
}

/** What attends to what. */
export interface MultiHeadAttentionArguments {
  /** float32 [batch, queries, size] */
  readonly query: tf.Tensor;
  /** float32 [batch, keys, keySize]. Default: query. */
  readonly key?: tf.Tensor | undefined;
  /** float32 [batch, keys, valueSize]. Default: key. */
  readonly value?: tf.Tensor | undefined;
}

/** Keys and values that are projected already, to be attended to many times: float32 [batch, keys, heads, K] each. */
export interface ProjectedMemory {
  readonly key: tf.Tensor;
  readonly value: tf.Tensor;
}

/**
 * Multi-head attention of some vectors to others, as in a decoder that looks at its encoder:
 *
 *     headᵢ = softmax(scale · (Q Wᵢ)(K Wᵢ)ᵀ + bias) (V Wᵢ)      output = [head₁ … headₙ] W
 *
 * `SelfAttention` does the same for one input, with one product less.
 *
 * Vaswani et al. 2017, arXiv:1706.03762, section 3.2.2.
 */
export class MultiHeadAttention extends Heads {
  readonly query: Linear;
  readonly key: Linear;
  readonly value: Linear;
  readonly output: Linear;
  readonly queryNorm: RMSNorm | null;
  readonly keyNorm: RMSNorm | null;

  /** @throws ArgumentError when a size is not a positive integer, or heads do not divide */
  constructor(options: MultiHeadAttentionOptions) {
    super('MultiHeadAttention', options);
    const { size, keySize = size, valueSize = keySize } = options;
    checkNumber('MultiHeadAttention', 'keySize', keySize, { integer: true, min: 1 });
    checkNumber('MultiHeadAttention', 'valueSize', valueSize, { integer: true, min: 1 });
    const keyWidth = this.numKeyHeads * this.headSize;
    this.query = this.projection(options, 'query', size, this.numHeads * this.headSize);
    this.key = this.projection(options, 'key', keySize, keyWidth);
    this.value = this.projection(options, 'value', valueSize, keyWidth);
    this.output = this.outputProjection(options);
    this.queryNorm = this.norm(options);
    this.keyNorm = this.norm(options);
  }

  /**
   * @returns float32 [batch, queries, size]
   * @throws ShapeError when an input or a mask does not fit; ArgumentError when training with dropout lacks an rng
   */
  call(inputs: MultiHeadAttentionArguments, options: AttentionCallOptions = {}): tf.Tensor {
    return tidy(() => this.#run(inputs, options, false).output);
  }

  /** What `call` returns, and the weights. They take batch · heads · queries · keys numbers. */
  withWeights(inputs: MultiHeadAttentionArguments, options: AttentionCallOptions = {}): AttentionResult {
    return tidy(() => this.#run(inputs, options, true) as AttentionResult);
  }

  /** Keys and values of a memory [batch, keys, keySize], for `attend`: project once, attend at every step. */
  project(memory: tf.Tensor, value: tf.Tensor = memory): ProjectedMemory {
    return tidy(() => {
      const where = 'MultiHeadAttention.project';
      const [batch, keys] = memory.shape as [number, number];
      checkShape(where, 'key', memory, { batch: null, keys: null, keySize: this.key.inputSize }, 'float32');
      checkShape(where, 'value', value, { batch, keys, valueSize: this.value.inputSize }, 'float32');
      const key = splitHeads(
        atPath('key', () => this.key.call(memory)),
        this.numKeyHeads,
      );
      return {
        key: turned(this.keyNorm ? this.keyNorm.call(key) : key, this.rotary, {}),
        value: splitHeads(
          atPath('value', () => this.value.call(value)),
          this.numKeyHeads,
        ),
      };
    });
  }

  /** Attends to what `project` returned: float32 [batch, queries, size]. */
  attend(query: tf.Tensor, memory: ProjectedMemory, options: AttentionCallOptions = {}): tf.Tensor {
    return tidy(() => this.#attend(query, memory, options, false).output);
  }

  #run(
    { query, key = query, value = key }: MultiHeadAttentionArguments,
    options: AttentionCallOptions,
    returnWeights: boolean,
  ) {
    return this.#attend(query, this.project(key, value), options, returnWeights);
  }

  #attend(input: tf.Tensor, memory: ProjectedMemory, options: AttentionCallOptions, returnWeights: boolean) {
    const where = 'MultiHeadAttention.call';
    const batch = memory.key.shape[0]!;
    checkShape(where, 'query', input, { batch, queries: null, size: this.size }, 'float32');
    const query = splitHeads(
      atPath('query', () => this.query.call(input)),
      this.numHeads,
    );
    const heads: HeadTensors = {
      ...memory,
      query: turned(this.queryNorm ? this.queryNorm.call(query) : query, this.rotary, options),
    };
    const { output, weights } = attendHeads(where, heads, this, { ...options, returnWeights });
    return { output: this.output.call(output), weights };
  }
}
