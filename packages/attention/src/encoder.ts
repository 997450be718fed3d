import {
  atPath,
  type CallOptions,
  checkNumber,
  checkShape,
  Dropout,
  LayerNorm,
  Module,
  RMSNorm,
  Rng,
  type State,
} from '@ostinato/core';
import { type AttentionCache, transformerLayerStep } from '@ostinato/ops';
import * as tf from '@tensorflow/tfjs-core';
import type { FeedForward } from './feed-forward.ts';
import type { AttentionCallOptions, AttentionResult } from './heads.ts';
import { feedForwardOf, type Norm, normOf, residual, type TransformerLayerOptions } from './layer-options.ts';
import { type CachedStepOptions, SelfAttention } from './self-attention.ts';
import { tidy } from './tidy.ts';

/**
 * One layer of an encoder, or, called with `causal`, of a decoder without an encoder:
 *
 *     post-norm: x ← norm(x + attention(x)); x ← norm(x + feedForward(x))
 *     pre-norm:  x ← x + attention(norm(x)); x ← x + feedForward(norm(x))
 *
 * Vaswani et al. 2017, arXiv:1706.03762, section 3.1; pre-norm: Xiong et al. 2020, arXiv:2002.04745.
 */
export class TransformerEncoderLayer extends Module {
  readonly attentionNorm: Norm;
  readonly attention: SelfAttention;
  readonly feedForwardNorm: Norm;
  readonly feedForward: FeedForward;
  readonly dropout: Dropout;
  readonly preNorm: boolean;

  /** @throws ArgumentError when an option is out of range */
  constructor(options: TransformerLayerOptions) {
    super();
    const { preNorm = false, dropout = 0, attentionDropout = dropout, rng = new Rng(0) } = options;
    this.attentionNorm = normOf(options);
    this.attention = new SelfAttention({ ...options, dropout: attentionDropout, rng: rng.split('attention') });
    this.feedForwardNorm = normOf(options);
    this.feedForward = feedForwardOf(options);
    this.dropout = new Dropout({ rate: dropout });
    this.preNorm = preNorm;
  }

  /**
   * @param input float32 [batch, time, size]
   * @returns float32 [batch, time, size]
   * @throws ShapeError when the input or a mask does not fit; ArgumentError when training with dropout lacks an rng
   */
  call(input: tf.Tensor, options: AttentionCallOptions = {}): tf.Tensor {
    return tidy(() => this.#run(input, options, (x, split) => this.attention.call(x, { ...options, ...split })));
  }

  /** What `call` returns, and the weights float32 [batch, heads, time, time]. */
  withWeights(input: tf.Tensor, options: AttentionCallOptions = {}): AttentionResult {
    return tidy(() => {
      let weights: tf.Tensor | undefined;
      const output = this.#run(input, options, (x, split) => {
        const result = this.attention.withWeights(x, { ...options, ...split });
        weights = result.weights;
        return result.output;
      });
      return { output, weights: weights! };
    });
  }

  /** The next steps, with a cache: see `SelfAttention.step`. */
  step(
    input: tf.Tensor,
    cache: AttentionCache,
    options: CachedStepOptions,
  ): { readonly output: tf.Tensor; readonly cache: AttentionCache } {
    const fused = this.#fusedStep(input, cache, options);
    if (fused) return fused;
    return tidy(() => {
      let next: AttentionCache | undefined;
      const output = this.#run(input, {}, x => {
        const result = this.attention.step(x, cache, options);
        next = result.cache;
        return result.output;
      });
      return { output, cache: next! };
    });
  }

  /** One step in one op, where all that the layer is made of is built into that. */
  #fusedStep(input: tf.Tensor, cache: AttentionCache, { lengths, bias, window }: CachedStepOptions) {
    const { attention, feedForward, attentionNorm, feedForwardNorm } = this;
    const rms = attentionNorm instanceof RMSNorm && feedForwardNorm instanceof RMSNorm;
    const layer = attentionNorm instanceof LayerNorm && feedForwardNorm instanceof LayerNorm;
    const plain =
      attention.rotary === null && attention.queryNorm === null && bias === undefined && window === undefined;
    const { activation, hidden, gate, output } = feedForward;
    if (input.rank !== 2 || !plain || !(rms || layer) || typeof activation === 'function') return undefined;
    const { numHeads, numKeyHeads, scale, queryKeyValue } = attention;
    checkShape('TransformerEncoderLayer.step', 'input', input, { batch: null, size: attention.size }, 'float32');
    return transformerLayerStep(
      {
        ...{ input, cache, lengths, attentionNorm, queryKeyValue, attentionOutput: attention.output },
        ...{ feedForwardNorm, hidden, gate, output },
      },
      { numHeads, numKeyHeads, scale, preNorm: this.preNorm, rms, activation },
    );
  }

  #run(input: tf.Tensor, options: CallOptions, attend: (x: tf.Tensor, options: CallOptions) => tf.Tensor): tf.Tensor {
    const around = { preNorm: this.preNorm, dropout: this.dropout, options };
    const attended = residual(input, this.attentionNorm, { ...around, name: 'attention' }, (x, split) =>
      atPath('attention', () => attend(x, split)),
    );
    return residual(attended, this.feedForwardNorm, { ...around, name: 'feedForward' }, (x, split) =>
      atPath('feedForward', () => this.feedForward.call(x, split)),
    );
  }
}

/** Options of `TransformerEncoder`. */
export interface TransformerEncoderOptions extends TransformerLayerOptions {
  readonly numLayers: number;
  /** Whether a norm follows the last layer. Default: as `preNorm`, which needs one. PyTorch: `norm`, none unless given. */
  readonly finalNorm?: boolean | undefined;
}

/** What `TransformerEncoder.withWeights` returns. */
export interface EncoderResult {
  /** float32 [batch, time, size] */
  readonly output: tf.Tensor;
  /** Of each layer: float32 [batch, heads, time, time]. */
  readonly weights: readonly tf.Tensor[];
}

/** What a stack of layers carries from step to step: see `SelfAttention.step`. */
export interface EncoderCache {
  /** int32 [batch]: how many steps each row has read. */
  readonly lengths: tf.Tensor;
  readonly layers: readonly AttentionCache[];
  readonly [name: string]: State;
}

/** What `TransformerEncoder.step` returns. The caller owns both. */
export interface EncoderStepResult {
  /** float32, of the input's shape. */
  readonly output: tf.Tensor;
  readonly cache: EncoderCache;
}

/**
 * Layers of `TransformerEncoderLayer` on top of each other, each with weights of its own. Called with `causal` it is the stack of a
 * language model.
 *
 * Vaswani et al. 2017, arXiv:1706.03762, section 3.1.
 */
export class TransformerEncoder extends Module {
  readonly layers: readonly TransformerEncoderLayer[];
  readonly finalNorm: Norm | null;
  readonly size: number;

  /** @throws ArgumentError when an option is out of range */
  constructor(options: TransformerEncoderOptions) {
    super();
    const { numLayers, preNorm = false, finalNorm = preNorm, size, rng = new Rng(0) } = options;
    checkNumber('TransformerEncoder', 'numLayers', numLayers, { integer: true, min: 1 });
    this.layers = Array.from(
      { length: numLayers },
      (_, i) => new TransformerEncoderLayer({ ...options, rng: rng.split('layers').split(i) }),
    );
    this.finalNorm = finalNorm ? normOf(options) : null;
    this.size = size;
  }

  /**
   * @param input float32 [batch, time, size]
   * @returns float32 [batch, time, size]
   * @throws ShapeError when the input or a mask does not fit; ArgumentError when training with dropout lacks an rng
   */
  call(input: tf.Tensor, options: AttentionCallOptions = {}): tf.Tensor {
    return tidy(() => this.#through(input, options, (layer, x, layerOptions) => layer.call(x, layerOptions)));
  }

  /** What `call` returns, and the weights of every layer. */
  withWeights(input: tf.Tensor, options: AttentionCallOptions = {}): EncoderResult {
    return tidy(() => {
      const weights: tf.Tensor[] = [];
      const output = this.#through(input, options, (layer, x, layerOptions) => {
        const result = layer.withWeights(x, layerOptions);
        weights.push(result.weights);
        return result.output;
      });
      return { output, weights };
    });
  }

  /** An empty cache for `step`. The caller disposes it (`disposeState`). */
  initialCache(batchSize: number, maximumTime: number): EncoderCache {
    return {
      lengths: tf.zeros([batchSize], 'int32'),
      layers: this.layers.map(layer => layer.attention.initialCache(batchSize, maximumTime)),
    };
  }

  /**
   * The next steps of every row, causally: what `call` with `causal` returns for them behind all earlier ones.
   *
   * @param input float32 [batch, time, size], or [batch, size] of one step
   * @throws ShapeError when a tensor does not fit; ArgumentError when the cache is full
   */
  step(input: tf.Tensor, cache: EncoderCache, options: Omit<CachedStepOptions, 'lengths'> = {}): EncoderStepResult {
    const { lengths } = cache;
    return tidy(() => {
      const layers: AttentionCache[] = [];
      const output = this.#through(input, {}, (layer, x) => {
        const result = layer.step(x, cache.layers[layers.length]!, { ...options, lengths });
        layers.push(result.cache);
        return result.output;
      });
      return {
        output,
        cache: { lengths: tf.add(lengths, tf.scalar(input.rank === 2 ? 1 : input.shape[1]!, 'int32')), layers },
      };
    });
  }

  #through(
    input: tf.Tensor,
    options: AttentionCallOptions,
    run: (layer: TransformerEncoderLayer, x: tf.Tensor, options: AttentionCallOptions) => tf.Tensor,
  ): tf.Tensor {
    let x = input;
    this.layers.forEach((layer, i) => {
      const rng = options.rng?.split('layers').split(i);
      x = atPath(`layers.${i}`, () => run(layer, x, { ...options, rng }));
    });
    return this.finalNorm ? this.finalNorm.call(x) : x;
  }
}
