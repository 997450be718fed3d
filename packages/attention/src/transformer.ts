import { atPath, glorotUniform, Module, Rng } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';
import { type DecoderCallOptions, type DecoderResult, TransformerDecoder } from './decoder.ts';
import { type EncoderResult, TransformerEncoder } from './encoder.ts';
import type { AttentionCallOptions } from './heads.ts';
import type { TransformerLayerOptions } from './layer-options.ts';
import type { Lengths } from './mask.ts';
import { tidy } from './tidy.ts';

/** Options of `Transformer`. */
export interface TransformerOptions extends TransformerLayerOptions {
  /** PyTorch: `num_encoder_layers`. Default 6. */
  readonly encoderLayers?: number | undefined;
  /** PyTorch: `num_decoder_layers`. Default 6. */
  readonly decoderLayers?: number | undefined;
  /** Whether a norm follows each stack. Default true, as in PyTorch. */
  readonly finalNorm?: boolean | undefined;
}

/** Two sequences of vectors. */
export interface TransformerArguments {
  /** float32 [batch, source, size]. PyTorch: `src`. */
  readonly source: tf.Tensor;
  /** float32 [batch, time, size]. PyTorch: `tgt`. */
  readonly target: tf.Tensor;
}

/** Options of a call of `Transformer`. */
export interface TransformerCallOptions extends Pick<DecoderCallOptions, 'training' | 'rng' | 'causal'> {
  /** How many steps of each source count, in the encoder and for the decoder. Default: all. */
  readonly sourceLengths?: Lengths | undefined;
  /** How many steps of each target count. Needs no more than `causal` when what lies behind is not looked at. Default: all. */
  readonly targetLengths?: Lengths | undefined;
  /** What else the encoder's self-attention may see. */
  readonly sourceMask?: Omit<AttentionCallOptions, 'training' | 'rng'> | undefined;
  /** What else the decoder's self-attention may see. */
  readonly targetMask?: Omit<AttentionCallOptions, 'training' | 'rng'> | undefined;
}

/** What `Transformer.withWeights` returns. */
export interface TransformerResult {
  readonly encoder: EncoderResult;
  readonly decoder: DecoderResult;
}

/**
 * Encoder and decoder over vectors: what makes vectors of tokens and tokens of vectors is not in it, as in PyTorch's.
 *
 * All weights start Glorot uniform.
 *
 * Vaswani et al. 2017, arXiv:1706.03762.
 */
export class Transformer extends Module {
  readonly encoder: TransformerEncoder;
  readonly decoder: TransformerDecoder;

  /** @throws ArgumentError when an option is out of range */
  constructor({
    encoderLayers = 6,
    decoderLayers = 6,
    finalNorm = true,
    weightInitializer = glorotUniform,
    outputInitializer = glorotUniform,
    rng = new Rng(0),
    ...options
  }: TransformerOptions) {
    super();
    const shared = { ...options, finalNorm, weightInitializer, outputInitializer };
    this.encoder = new TransformerEncoder({ ...shared, numLayers: encoderLayers, rng: rng.split('encoder') });
    this.decoder = new TransformerDecoder({ ...shared, numLayers: decoderLayers, rng: rng.split('decoder') });
  }

  /**
   * The decoder's output at every step of the target; the encoder's is its memory.
   *
   * @returns float32 [batch, time, size]
   * @throws ShapeError when an input or a mask does not fit; ArgumentError when training with dropout lacks an rng
   */
  call({ source, target }: TransformerArguments, options: TransformerCallOptions = {}): tf.Tensor {
    return tf.tidy(() => {
      const { encoder, decoder } = splitOptions(options);
      const memory = atPath('encoder', () => this.encoder.call(source, encoder)); // [B, S, D]
      return atPath('decoder', () => this.decoder.call({ input: target, memory }, decoder));
    });
  }

  /** What `call` returns as `decoder.output`, what the encoder returns, and the weights of all layers. */
  withWeights({ source, target }: TransformerArguments, options: TransformerCallOptions = {}): TransformerResult {
    return tidy(() => {
      const split = splitOptions(options);
      const encoder = atPath('encoder', () => this.encoder.withWeights(source, split.encoder));
      const inputs = { input: target, memory: encoder.output };
      return { encoder, decoder: atPath('decoder', () => this.decoder.withWeights(inputs, split.decoder)) };
    });
  }
}

function splitOptions(options: TransformerCallOptions): { encoder: AttentionCallOptions; decoder: DecoderCallOptions } {
  const { training, rng, causal, sourceLengths, targetLengths, sourceMask, targetMask } = options;
  const lengths = (own: Lengths | undefined) => (own === undefined ? {} : { keyLengths: own });
  return {
    encoder: { ...sourceMask, ...lengths(sourceLengths), training, rng: rng?.split('encoder') },
    decoder: {
      ...{ ...targetMask, ...lengths(targetLengths), training, rng: rng?.split('decoder') },
      ...(causal === undefined ? {} : { causal }),
      memoryMask: lengths(sourceLengths),
    },
  };
}
