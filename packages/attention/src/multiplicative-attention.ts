import {
  ArgumentError,
  atPath,
  checkChoice,
  checkShape,
  glorotUniform,
  type Initializer,
  Linear,
  Module,
  Rng,
} from '@ostinato/core';
import { scaledDotProductAttention } from '@ostinato/ops';
import * as tf from '@tensorflow/tfjs-core';
import { AdditiveAttention } from './additive-attention.ts';
import { readLengths } from './mask.ts';
import {
  type AttendedMemory,
  type ContextResult,
  checkMemory,
  type MemoryAttention,
  type MemoryAttentionCallOptions,
} from './memory-attention.ts';

import { tidy } from './tidy.ts';

/** Options of `MultiplicativeAttention`. */
export interface MultiplicativeAttentionOptions {
  /** Width of the queries: the decoder's state. */
  readonly querySize: number;
  /** Width of the memory: the encoder's output. Default: querySize; `'dot'` needs them alike. */
  readonly memorySize?: number | undefined;
  /** How query and memory are compared: see the class. Default `'general'`. */
  readonly form?: 'dot' | 'general' | 'concat' | undefined;
  /** Width in which `'concat'` compares. Default: querySize. */
  readonly attentionSize?: number | undefined;
  /** Width of what `combine` returns. Default: querySize. */
  readonly outputSize?: number | undefined;
  /** Default: Glorot uniform. */
  readonly weightInitializer?: Initializer | undefined;
  /** Where the first weights come from. Default `new Rng(0)`. */
  readonly rng?: Rng | undefined;
}

/**
 * Multiplicative attention, in Luong's three forms:
 *
 *     dot: eⱼ = q · mⱼ      general: eⱼ = q · Wₐ mⱼ      concat: eⱼ = v · tanh(Wₐ [q; mⱼ])
 *     weights = softmax(e)      context = Σ weightsⱼ mⱼ      output = tanh(W_c [context; q])
 *
 * Fields: `key` is Wₐ of `'general'`, `concat` holds Wₐ of `'concat'` in two parts, and v; `combination` is W_c, [context; q] in
 * this order. Scores are not scaled.
 *
 * Luong, Pham, Manning 2015, arXiv:1508.04025, sections 3 and 3.1.
 */
export class MultiplicativeAttention extends Module implements MemoryAttention {
  readonly querySize: number;
  readonly memorySize: number;
  readonly outputSize: number;
  readonly form: 'dot' | 'general' | 'concat';
  readonly key: Linear | null;
  readonly concat: AdditiveAttention | null;
  readonly combination: Linear;

  /** @throws ArgumentError when a size is not a positive integer, the form unknown, or `'dot'` has sizes that differ */
  constructor({
    querySize,
    memorySize = querySize,
    form = 'general',
    attentionSize = querySize,
    outputSize = querySize,
    weightInitializer = glorotUniform,
    rng = new Rng(0),
  }: MultiplicativeAttentionOptions) {
    super();
    const where = 'MultiplicativeAttention';
    checkChoice(where, 'form', form, ['dot', 'general', 'concat']);
    if (form === 'dot' && querySize !== memorySize) {
      const rule = "form 'dot' needs querySize = memorySize";
      throw new ArgumentError({ where, rule, got: `${querySize} and ${memorySize}`, advice: "Take form 'general'." });
    }
    this.querySize = querySize;
    this.memorySize = memorySize;
    this.outputSize = outputSize;
    this.form = form;
    const shared = { bias: false, weightInitializer };
    this.key =
      form === 'general'
        ? new Linear({ inputSize: memorySize, outputSize: querySize, ...shared, rng: rng.split('key') })
        : null;
    this.concat =
      form === 'concat'
        ? new AdditiveAttention({ querySize, memorySize, attentionSize, ...shared, rng: rng.split('concat') })
        : null;
    this.combination = new Linear({
      ...{ inputSize: memorySize + querySize, outputSize, ...shared, rng: rng.split('combination') },
    });
  }

  /**
   * @param query float32 [batch, queries, querySize]
   * @param memory float32 [batch, source, memorySize]
   * @throws ShapeError when a tensor does not fit; ArgumentError when a length does not
   */
  call(query: tf.Tensor, memory: tf.Tensor, options: MemoryAttentionCallOptions = {}): ContextResult {
    return tidy(() => this.attend(query, { memory, keys: this.project(memory) }, options));
  }

  /** The attentional vector tanh(W_c [context; q]): float32 [batch, queries, outputSize]. */
  combine(context: tf.Tensor, query: tf.Tensor): tf.Tensor {
    return tidy(() => tf.tanh(atPath('combination', () => this.combination.call(tf.concat([context, query], -1)))));
  }

  /** What queries are multiplied with: float32 [batch, source, querySize], of `'concat'` [batch, source, attentionSize]. */
  project(memory: tf.Tensor): tf.Tensor {
    const axes = { batch: null, source: null, memorySize: this.memorySize };
    checkShape('MultiplicativeAttention.project', 'memory', memory, axes, 'float32');
    if (this.concat) return atPath('concat', () => this.concat!.project(memory));
    return this.key ? atPath('key', () => this.key!.call(memory)) : tf.clone(memory);
  }

  /** What `call` returns, for keys that are projected already. */
  attend(query: tf.Tensor, { memory, keys }: AttendedMemory, options: MemoryAttentionCallOptions = {}): ContextResult {
    const where = 'MultiplicativeAttention.call';
    checkMemory(where, query, memory, this);
    if (this.concat) return this.concat.attend(query, { memory, keys }, options);
    return tidy(() => {
      const [q, k, value] = [query, keys, memory].map(tensor => tf.expandDims(tensor, 1));
      const keyLengths = readLengths(where, 'lengths', options.lengths, memory.shape[0]!);
      const { output, weights } = scaledDotProductAttention(
        { query: q!, key: k!, value: value!, keyLengths },
        { scale: 1, returnWeights: true },
      );
      return { context: tf.squeeze(output, [1]), weights: tf.squeeze(weights, [1]) };
    });
  }
}
