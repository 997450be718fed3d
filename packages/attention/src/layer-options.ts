import { type CallOptions, type Dropout, type Initializer, LayerNorm, type Module, Rng } from '@ostinato/core';
import type { RotaryOptions } from '@ostinato/embeddings';
import * as tf from '@tensorflow/tfjs-core';
import { type Activation, FeedForward } from './feed-forward.ts';

/** A norm over the last axis: `LayerNorm`, `RMSNorm`, or one of your own. */
export type Norm = Module & { call(input: tf.Tensor): tf.Tensor };

/** What encoder and decoder layers have in common. */
export interface TransformerLayerOptions {
  /** D, width of the vectors. PyTorch: `d_model`. */
  readonly size: number;
  /** PyTorch: `nhead`. */
  readonly numHeads: number;
  /** Heads of keys and values: see `HeadOptions`. Default: numHeads. */
  readonly numKeyHeads?: number | undefined;
  /** Width of a head. Default: size / numHeads. */
  readonly headSize?: number | undefined;
  /** PyTorch: `dim_feedforward`, 2048. Default 4 · size. */
  readonly feedForwardSize?: number | undefined;
  /** Of the feed-forward part. Default `'relu'`. */
  readonly activation?: Activation | undefined;
  /** Gated feed-forward part: SwiGLU with `silu`. Default false. */
  readonly gated?: boolean | undefined;
  /** Norm before attention and feed-forward, x + f(norm(x)), in place of behind them, norm(x + f(x)). PyTorch: `norm_first`. Default false. */
  readonly preNorm?: boolean | undefined;
  /** Makes the norms. Default: `LayerNorm` with epsilon 1e-5. */
  readonly norm?: ((size: number) => Norm) | undefined;
  /** Rate of dropout on the attention weights, in the feed-forward part and behind both, in training. PyTorch's is 0.1. Default 0. */
  readonly dropout?: number | undefined;
  /** Rate of dropout on the attention weights. Default: `dropout`; small models do better with less (fairseq: 0). */
  readonly attentionDropout?: number | undefined;
  /** Rate of dropout inside the feed-forward part, behind the activation. Default: `dropout`; fairseq: 0. */
  readonly activationDropout?: number | undefined;
  /** Whether the projections have biases. Default true. */
  readonly bias?: boolean | undefined;
  /** Rotary positions in self-attention. Default: none. */
  readonly rotary?: RotaryOptions | undefined;
  /** RMS norm of every query and key head. Default false. */
  readonly queryKeyNorm?: boolean | undefined;
  /** Of all weights but those behind which a residual is added. Default: those of `SelfAttention` and `FeedForward`. */
  readonly weightInitializer?: Initializer | undefined;
  /** Of the weights behind which a residual is added: output projections of attention and feed-forward. Default: theirs. */
  readonly outputInitializer?: Initializer | undefined;
  /** Of the biases of the feed-forward part; those of attention start at zero. Default: uniform within 1/√fan-in. */
  readonly biasInitializer?: Initializer | undefined;
  /** Where the first weights come from. Default `new Rng(0)`. */
  readonly rng?: Rng | undefined;
}

/** The feed-forward part of a layer. */
export function feedForwardOf(options: TransformerLayerOptions): FeedForward {
  const { size, feedForwardSize: hiddenSize, activation, gated, bias } = options;
  const dropout = options.activationDropout ?? options.dropout;
  const { weightInitializer, outputInitializer, biasInitializer, rng = new Rng(0) } = options;
  return new FeedForward({
    ...{ size, hiddenSize, activation, gated, bias, dropout },
    ...{ weightInitializer, outputInitializer, biasInitializer, rng: rng.split('feedForward') },
  });
}

/** Norm and dropout around the parts of a layer. */
export function normOf({ size, norm = width => new LayerNorm({ size: width }) }: TransformerLayerOptions): Norm {
  return norm(size);
}

/** x + dropout(f(norm(x))), or norm(x + dropout(f(x))). */
export function residual(
  input: tf.Tensor,
  norm: Norm,
  { preNorm, dropout, options, name }: { preNorm: boolean; dropout: Dropout; options: CallOptions; name: string },
  body: (x: tf.Tensor, options: CallOptions) => tf.Tensor,
): tf.Tensor {
  const { training, rng } = options;
  const inside = body(preNorm ? norm.call(input) : input, { training, rng: rng?.split(name) });
  const active = training && dropout.rate > 0;
  const dropped = active ? dropout.call(inside, { training, rng: rng?.split(`${name} dropout`) }) : inside;
  const sum = tf.add(input, dropped);
  return preNorm ? sum : norm.call(sum);
}
