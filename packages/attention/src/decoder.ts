import { atPath, type CallOptions, checkNumber, Dropout, Module, Rng, type State } from '@ostinato/core';
import type { AttentionCache } from '@ostinato/ops';
import * as tf from '@tensorflow/tfjs-core';
import type { FeedForward } from './feed-forward.ts';
import type { AttentionCallOptions } from './heads.ts';
import { feedForwardOf, type Norm, normOf, residual, type TransformerLayerOptions } from './layer-options.ts';
import type { AttentionMask, Lengths } from './mask.ts';
import { MultiHeadAttention, type ProjectedMemory } from './multi-head-attention.ts';
import { SelfAttention } from './self-attention.ts';
import { tidy } from './tidy.ts';

/** Options of a decoder layer. */
export interface TransformerDecoderLayerOptions extends TransformerLayerOptions {
  /** Width of the memory. Default: size. */
  readonly memorySize?: number | undefined;
}

/** What a decoder layer reads. */
export interface DecoderArguments {
  /** float32 [batch, time, size]. PyTorch: `tgt`. */
  readonly input: tf.Tensor;
  /** What the encoder returned, float32 [batch, source, memorySize]. */
  readonly memory: tf.Tensor;
}

/** Options of a call of a decoder. Those of `AttentionCallOptions` are for self-attention. */
export interface DecoderCallOptions extends AttentionCallOptions {
  /** Whether a step sees no later one. Default true; PyTorch's is false. */
  readonly causal?: boolean | undefined;
  /** What cross-attention may attend to, e.g. `{ keyLengths: sourceLengths }`. Default: all of the memory. */
  readonly memoryMask?: AttentionMask | undefined;
}

/** What `withWeights` of a decoder layer returns. */
export interface DecoderLayerResult {
  /** float32 [batch, time, size] */
  readonly output: tf.Tensor;
  /** float32 [batch, heads, time, time] */
  readonly weights: tf.Tensor;
  /** float32 [batch, heads, time, source]: where each step looked in the memory. */
  readonly memoryWeights: tf.Tensor;
}

/** What one decoder layer carries from step to step. */
export interface DecoderLayerCache {
  readonly self: AttentionCache;
  /** Keys and values of the memory, float32 [batch, source, heads, K]. */
  readonly memory: ProjectedMemory & { readonly [name: string]: tf.Tensor };
  readonly [name: string]: State;
}

/**
 * One layer of a decoder: self-attention, attention to the encoder's output, feed-forward; each in a residual as in
 * `TransformerEncoderLayer`.
 *
 * Vaswani et al. 2017, arXiv:1706.03762, section 3.1.
 */
export class TransformerDecoderLayer extends Module {
  readonly attentionNorm: Norm;
  readonly attention: SelfAttention;
  readonly memoryNorm: Norm;
  readonly memoryAttention: MultiHeadAttention;
  readonly feedForwardNorm: Norm;
  readonly feedForward: FeedForward;
  readonly dropout: Dropout;
  readonly preNorm: boolean;

  /** @throws ArgumentError when an option is out of range */
  constructor(options: TransformerDecoderLayerOptions) {
    super();
    const { preNorm = false, dropout = 0, attentionDropout = dropout, memorySize, rng = new Rng(0) } = options;
    this.attentionNorm = normOf(options);
    this.attention = new SelfAttention({ ...options, dropout: attentionDropout, rng: rng.split('attention') });
    this.memoryNorm = normOf(options);
    // A memory has no positions in common with the target: nothing turns.
    this.memoryAttention = new MultiHeadAttention({
      ...{ ...options, dropout: attentionDropout, rotary: undefined, keySize: memorySize },
      rng: rng.split('memoryAttention'),
    });
    this.feedForwardNorm = normOf(options);
    this.feedForward = feedForwardOf(options);
    this.dropout = new Dropout({ rate: dropout });
    this.preNorm = preNorm;
  }

  /**
   * @returns float32 [batch, time, size]
   * @throws ShapeError when an input or a mask does not fit; ArgumentError when training with dropout lacks an rng
   */
  call(
    { input, memory }: DecoderArguments,
    { memoryMask, causal = true, ...options }: DecoderCallOptions = {},
  ): tf.Tensor {
    return tf.tidy(() =>
      this.#run(input, options, {
        self: (x, split) => this.attention.call(x, { ...options, causal, ...split }),
        memory: (x, split) => this.memoryAttention.call({ query: x, key: memory }, { ...memoryMask, ...split }),
      }),
    );
  }

  /** What `call` returns, and both attentions' weights. */
  withWeights(
    { input, memory }: DecoderArguments,
    { memoryMask, causal = true, ...options }: DecoderCallOptions = {},
  ): DecoderLayerResult {
    return tidy(() => {
      let [weights, memoryWeights]: (tf.Tensor | undefined)[] = [];
      const output = this.#run(input, options, {
        self: (x, split) => {
          const result = this.attention.withWeights(x, { ...options, causal, ...split });
          weights = result.weights;
          return result.output;
        },
        memory: (x, split) => {
          const both = { query: x, key: memory };
          const result = this.memoryAttention.withWeights(both, { ...memoryMask, ...split });
          memoryWeights = result.weights;
          return result.output;
        },
      });
      return { output, weights: weights!, memoryWeights: memoryWeights! };
    });
  }

  /** The next steps, with a cache: float32 [batch, time, size]. See `SelfAttention.step`. */
  step(
    input: tf.Tensor,
    cache: DecoderLayerCache,
    { lengths, memoryLengths }: { readonly lengths: tf.Tensor; readonly memoryLengths: tf.Tensor },
  ): { readonly output: tf.Tensor; readonly cache: DecoderLayerCache } {
    return tidy(() => {
      let next: AttentionCache | undefined;
      const output = this.#run(
        input,
        {},
        {
          self: x => {
            const result = this.attention.step(x, cache.self, { lengths });
            next = result.cache;
            return result.output;
          },
          memory: x => this.memoryAttention.attend(x, cache.memory, { keyLengths: memoryLengths }),
        },
      );
      return { output, cache: { self: next!, memory: cache.memory } };
    });
  }

  #run(
    input: tf.Tensor,
    options: CallOptions,
    attend: Record<'self' | 'memory', (x: tf.Tensor, options: CallOptions) => tf.Tensor>,
  ): tf.Tensor {
    const around = { preNorm: this.preNorm, dropout: this.dropout, options };
    const attended = residual(input, this.attentionNorm, { ...around, name: 'attention' }, (x, split) =>
      atPath('attention', () => attend.self(x, split)),
    );
    const informed = residual(attended, this.memoryNorm, { ...around, name: 'memoryAttention' }, (x, split) =>
      atPath('memoryAttention', () => attend.memory(x, split)),
    );
    return residual(informed, this.feedForwardNorm, { ...around, name: 'feedForward' }, (x, split) =>
      atPath('feedForward', () => this.feedForward.call(x, split)),
    );
  }
}

/** Options of `TransformerDecoder`. */
export interface TransformerDecoderOptions extends TransformerDecoderLayerOptions {
  readonly numLayers: number;
  /** Whether a norm follows the last layer. Default: as `preNorm`, which needs one. PyTorch: `norm`, none unless given. */
  readonly finalNorm?: boolean | undefined;
}

/** What `TransformerDecoder.withWeights` returns. */
export interface DecoderResult {
  /** float32 [batch, time, size] */
  readonly output: tf.Tensor;
  /** Of each layer: float32 [batch, heads, time, time]. */
  readonly weights: readonly tf.Tensor[];
  /** Of each layer: float32 [batch, heads, time, source]. */
  readonly memoryWeights: readonly tf.Tensor[];
}

/** What a decoder carries from step to step: every tensor is [batch, …]. */
export interface DecoderCache {
  /** int32 [batch]: how many steps each row has read. */
  readonly lengths: tf.Tensor;
  /** int32 [batch]: how many steps of the memory count. */
  readonly memoryLengths: tf.Tensor;
  readonly layers: readonly DecoderLayerCache[];
  readonly [name: string]: State;
}

/** What `TransformerDecoder.step` returns. The caller owns both. */
export interface DecoderStepResult {
  /** float32 [batch, time, size] */
  readonly output: tf.Tensor;
  /** The cache with these steps; the keys and values of the memory in it are those that came in. */
  readonly cache: DecoderCache;
}

/** Layers of `TransformerDecoderLayer` on top of each other. Vaswani et al. 2017, arXiv:1706.03762, section 3.1. */
export class TransformerDecoder extends Module {
  readonly layers: readonly TransformerDecoderLayer[];
  readonly finalNorm: Norm | null;
  readonly size: number;

  /** @throws ArgumentError when an option is out of range */
  constructor(options: TransformerDecoderOptions) {
    super();
    const { numLayers, preNorm = false, finalNorm = preNorm, size, rng = new Rng(0) } = options;
    checkNumber('TransformerDecoder', 'numLayers', numLayers, { integer: true, min: 1 });
    this.layers = Array.from(
      { length: numLayers },
      (_, i) => new TransformerDecoderLayer({ ...options, rng: rng.split('layers').split(i) }),
    );
    this.finalNorm = finalNorm ? normOf(options) : null;
    this.size = size;
  }

  /**
   * @returns float32 [batch, time, size]
   * @throws ShapeError when an input or a mask does not fit; ArgumentError when training with dropout lacks an rng
   */
  call({ input, memory }: DecoderArguments, options: DecoderCallOptions = {}): tf.Tensor {
    return tf.tidy(() =>
      this.#through(input, options, (layer, x, layerOptions) => layer.call({ input: x, memory }, layerOptions)),
    );
  }

  /** What `call` returns, and the weights of every layer. */
  withWeights({ input, memory }: DecoderArguments, options: DecoderCallOptions = {}): DecoderResult {
    return tidy(() => {
      const results: DecoderLayerResult[] = [];
      const output = this.#through(input, options, (layer, x, layerOptions) => {
        const result = layer.withWeights({ input: x, memory }, layerOptions);
        results.push(result);
        return result.output;
      });
      return {
        output,
        weights: results.map(({ weights }) => weights),
        memoryWeights: results.map(({ memoryWeights }) => memoryWeights),
      };
    });
  }

  /**
   * A cache for `step`, with no step in it, and the keys and values of the memory. The caller disposes it (`disposeState`).
   *
   * @param memory float32 [batch, source, memorySize]
   */
  initialCache(
    memory: tf.Tensor,
    { maximumTime, memoryLengths }: { readonly maximumTime: number; readonly memoryLengths?: Lengths | undefined },
  ): DecoderCache {
    const [batch, source] = memory.shape as [number, number];
    const lengths = memoryLengths ?? new Int32Array(batch).fill(source);
    return {
      lengths: tf.zeros([batch], 'int32'),
      memoryLengths: lengths instanceof tf.Tensor ? tf.clone(lengths) : tf.tensor1d(Int32Array.from(lengths), 'int32'),
      layers: this.layers.map(layer => ({
        self: layer.attention.initialCache(batch, maximumTime),
        memory: { ...layer.memoryAttention.project(memory) },
      })),
    };
  }

  /**
   * The next steps of every row: what `call` returns for them behind all earlier ones.
   *
   * @param input float32 [batch, time, size]
   * @throws ShapeError when a tensor does not fit; ArgumentError when the cache is full
   */
  step(input: tf.Tensor, cache: DecoderCache): DecoderStepResult {
    const { lengths, memoryLengths } = cache;
    return tidy(() => {
      const layers: DecoderLayerCache[] = [];
      const output = this.#through(input, {}, (layer, x) => {
        const result = layer.step(x, cache.layers[layers.length]!, { lengths, memoryLengths });
        layers.push(result.cache);
        return result.output;
      });
      const next = tf.add(lengths, tf.scalar(input.shape[1]!, 'int32'));
      return { output, cache: { lengths: next, memoryLengths, layers } };
    });
  }

  #through(
    input: tf.Tensor,
    options: DecoderCallOptions,
    run: (layer: TransformerDecoderLayer, x: tf.Tensor, options: DecoderCallOptions) => tf.Tensor,
  ): tf.Tensor {
    let x = input;
    this.layers.forEach((layer, i) => {
      const rng = options.rng?.split('layers').split(i);
      x = atPath(`layers.${i}`, () => run(layer, x, { ...options, rng }));
    });
    return this.finalNorm ? this.finalNorm.call(x) : x;
  }
}
