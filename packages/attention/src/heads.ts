import {
  ArgumentError,
  type CallOptions,
  checkNumber,
  fanInUniform,
  glorotUniform,
  type Initializer,
  Linear,
  Module,
  RMSNorm,
  Rng,
  zeros,
} from '@ostinato/core';
import { type RotaryOptions, rotary } from '@ostinato/embeddings';
import { scaledDotProductAttention } from '@ostinato/ops';
import * as tf from '@tensorflow/tfjs-core';
import { type AttentionMask, resolveMask } from './mask.ts';

/** What the attention layers have in common. */
export interface HeadOptions {
  /** D, width of queries and of the output. PyTorch: `embed_dim`. */
  readonly size: number;
  /** Query heads. */
  readonly numHeads: number;
  /**
   * Heads of keys and values, a divisor of numHeads: as many is multi-head attention, fewer is grouped-query attention (Ainslie et
   * al. 2023, arXiv:2305.13245), 1 is multi-query attention (Shazeer 2019, arXiv:1911.02150). Default: numHeads.
   */
  readonly numKeyHeads?: number | undefined;
  /** K, width of a head. Default: size / numHeads. */
  readonly headSize?: number | undefined;
  /** Whether queries, keys and values have biases. Default true. */
  readonly bias?: boolean | undefined;
  /** Whether the output has a bias. Default: as `bias`. */
  readonly outputBias?: boolean | undefined;
  /** Rate of dropout on the weights, in training. Default 0. */
  readonly dropout?: number | undefined;
  /** What the products q·k are multiplied with. Default 1/√K. */
  readonly scale?: number | undefined;
  /** Turns queries and keys by their positions: see `rotary`. Default: none. */
  readonly rotary?: RotaryOptions | undefined;
  /**
   * RMS norm of every query and key head, with gains shared by the heads. Default false. Dehghani et al. 2023, arXiv:2302.05442, normalise
   * both by layer norm; with RMS norm as in Qwen 3 and Gemma 3.
   */
  readonly queryKeyNorm?: boolean | undefined;
  /**
   * Of the projections of queries, keys and values. Default: Glorot uniform. `SelfAttention` draws its packed matrix as one, as PyTorch does;
   * `MultiHeadAttention` each of its own, as PyTorch does where `kdim` or `vdim` differ (where they do not it packs, √2 narrower).
   */
  readonly weightInitializer?: Initializer | undefined;
  /** Of the output projection. Default: uniform within 1/√fan-in, as PyTorch. */
  readonly outputInitializer?: Initializer | undefined;
  /** Where the first weights come from. Default `new Rng(0)`: two layers of one size that are not given theirs start alike. */
  readonly rng?: Rng | undefined;
}

/** Options of a call: mask, training and the positions that rotary embeddings turn by. */
export interface AttentionCallOptions extends AttentionMask, CallOptions {
  /**
   * Position of the first query, for `rotary`; keys begin at 0. Default 0, also where `causalOffset` is not: queries behind earlier keys
   * need both.
   */
  readonly offset?: number | undefined;
  /** Positions of the queries, int32 [queries] or [batch, queries], in place of `offset`. */
  readonly positions?: tf.Tensor | undefined;
}

/** What an attention layer returns beside its weights. */
export interface AttentionResult {
  /** float32 [batch, queries, size] */
  readonly output: tf.Tensor;
  /** float32 [batch, heads, queries, keys], before dropout: rows sum to 1, or to 0 where no key counts. */
  readonly weights: tf.Tensor;
}

/** Queries, keys and values with heads apart: float32 [batch, time, heads, K]. */
export interface HeadTensors {
  readonly query: tf.Tensor;
  readonly key: tf.Tensor;
  readonly value: tf.Tensor;
}

/** Sizes, norms and the output projection of an attention layer. */
export abstract class Heads extends Module {
  readonly size: number;
  readonly numHeads: number;
  readonly numKeyHeads: number;
  readonly headSize: number;
  readonly dropout: number;
  readonly scale: number;
  readonly rotary: RotaryOptions | null;

  constructor(where: string, options: HeadOptions) {
    super();
    const { size, numHeads, numKeyHeads = numHeads, dropout = 0, rotary: turning } = options;
    checkNumber(where, 'size', size, { integer: true, min: 1 });
    checkNumber(where, 'numHeads', numHeads, { integer: true, min: 1 });
    checkNumber(where, 'numKeyHeads', numKeyHeads, { integer: true, min: 1, max: numHeads });
    if (numHeads % numKeyHeads !== 0) {
      const rule = 'numHeads must be a multiple of numKeyHeads';
      throw new ArgumentError({ where, rule, got: `${numHeads} and ${numKeyHeads}` });
    }
    if (options.headSize === undefined && size % numHeads !== 0) {
      const rule = 'size must be a multiple of numHeads, unless headSize is given';
      throw new ArgumentError({ where, rule, got: `${size} and ${numHeads}` });
    }
    const { headSize = size / numHeads, scale = 1 / Math.sqrt(headSize) } = options;
    checkNumber(where, 'headSize', headSize, { integer: true, min: 1 });
    checkNumber(where, 'dropout', dropout, { min: 0, below: 1 });
    checkNumber(where, 'scale', scale);
    this.size = size;
    this.numHeads = numHeads;
    this.numKeyHeads = numKeyHeads;
    this.headSize = headSize;
    this.dropout = dropout;
    this.scale = scale;
    this.rotary = turning ?? null;
  }

  /** A projection of `inputSize` features to heads of `width` in all. */
  protected projection(options: HeadOptions, name: string, inputSize: number, width: number): Linear {
    const { bias = true, weightInitializer = glorotUniform, rng = new Rng(0) } = options;
    return new Linear({
      ...{ inputSize, outputSize: width, bias, weightInitializer, biasInitializer: zeros },
      rng: rng.split(name),
    });
  }

  /** The projection of all heads to the output. */
  protected outputProjection(options: HeadOptions): Linear {
    const { bias = true, outputBias = bias, outputInitializer = fanInUniform(), rng = new Rng(0) } = options;
    return new Linear({
      ...{ inputSize: this.numHeads * this.headSize, outputSize: this.size, bias: outputBias },
      ...{ weightInitializer: outputInitializer, biasInitializer: zeros, rng: rng.split('output') },
    });
  }

  /** The norm of queries or keys. */
  protected norm({ queryKeyNorm = false }: HeadOptions): RMSNorm | null {
    return queryKeyNorm ? new RMSNorm({ size: this.headSize }) : null;
  }
}

/** [batch, time, heads · K] → [batch, time, heads, K]. */
export function splitHeads(tensor: tf.Tensor, numHeads: number): tf.Tensor {
  const [batch, time, width] = tensor.shape as [number, number, number];
  return tf.reshape(tensor, [batch, time, numHeads, width / numHeads]);
}

/** Dropout on the weights of one call, as the op takes it. */
export function weightDropout(
  where: string,
  rate: number,
  { training = false, rng }: CallOptions,
): { rate: number; key: Rng['key'] } | undefined {
  if (!training || rate === 0) return undefined;
  if (rng) return { rate, key: rng.split('weights').key };
  const advice = 'Pass { training: true, rng: rng.split(step) }.';
  throw new ArgumentError({ where, rule: 'training with dropout needs an rng', got: 'none', advice });
}

/** Queries or keys turned by their positions. */
export function turned(
  tensor: tf.Tensor,
  options: RotaryOptions | null,
  positions: Pick<AttentionCallOptions, 'offset' | 'positions'>,
): tf.Tensor {
  if (!options) return tensor;
  return rotary(tensor, { ...options, axes: 'BTHD', offset: positions.offset, positions: positions.positions });
}

/** All heads attend: float32 [batch, queries, heads · K], and the weights when they are asked for. */
export function attendHeads(
  where: string,
  { query, key, value }: HeadTensors,
  { scale, dropout: rate }: Heads,
  options: AttentionCallOptions & { readonly returnWeights: boolean },
): { readonly output: tf.Tensor; readonly weights: tf.Tensor | null } {
  const [batch, queryTime, numHeads, width] = query.shape as [number, number, number, number];
  const mask = resolveMask(where, options, { batch, queryTime, keyTime: key.shape[1]! });
  const heads = { query, key, value, bias: mask.bias, keyLengths: mask.keyLengths };
  const how = {
    ...{ layout: 'BTHD' as const, scale, causal: mask.causal, causalOffset: mask.causalOffset },
    dropout: weightDropout(where, rate, options),
  };
  const merged = (output: tf.Tensor): tf.Tensor => tf.reshape(output, [batch, queryTime, numHeads * width]);
  if (!options.returnWeights) return { output: merged(scaledDotProductAttention(heads, how)), weights: null };
  const { output, weights } = scaledDotProductAttention(heads, { ...how, returnWeights: true });
  return { output: merged(output), weights };
}
