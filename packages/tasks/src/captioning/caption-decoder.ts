import {
  AdditiveAttention,
  AttentionDecoder,
  type AttentionDecoderState,
  type DecoderCache,
  TransformerDecoder,
} from '@ostinato/attention';
import { atPath, type CallOptions, Linear, Module, type Rng, type State } from '@ostinato/core';
import { SinusoidalPositions } from '@ostinato/embeddings';
import { GRU } from '@ostinato/recurrent';
import * as tf from '@tensorflow/tfjs-core';
import { tidyState } from '../shared/tidy.ts';
import type { CompleteCaptionerConfig } from './config.ts';

/** What a decoder returns of known words: vectors of what comes next, and where it looked. */
interface Decoded {
  /** float32 [batch, time, size] */
  readonly hidden: tf.Tensor;
  /** Of each layer float32 [batch, heads, time, places]. */
  readonly weights: readonly tf.Tensor[];
}

/** Words from a memory: vectors of the words so far in, vectors of the next word out. */
export interface CaptionDecoder extends Module {
  call(vectors: tf.Tensor, memory: tf.Tensor, options: CallOptions): tf.Tensor;
  withWeights(vectors: tf.Tensor, memory: tf.Tensor): Decoded;
  initialState(memory: tf.Tensor, maximumTime: number): State;
  /** float32 [batch, size] in and out. */
  step(vectors: tf.Tensor, state: State): { readonly hidden: tf.Tensor; readonly state: State };
  isFixed(path: string): boolean;
}

/** Self-attention to the words so far, attention to the picture. */
export class TransformerCaptionDecoder extends Module implements CaptionDecoder {
  readonly positions: SinusoidalPositions;
  readonly decoder: TransformerDecoder;

  constructor({ size, numHeads, decoderLayers, dropout }: CompleteCaptionerConfig, rng: Rng) {
    super();
    this.positions = new SinusoidalPositions({ size });
    this.decoder = new TransformerDecoder({
      ...{ size, numHeads, feedForwardSize: 2 * size, numLayers: decoderLayers, preNorm: true, dropout, rng },
    });
  }

  call(vectors: tf.Tensor, memory: tf.Tensor, options: CallOptions): tf.Tensor {
    return atPath('decoder', () => this.decoder.call({ input: this.positions.call(vectors), memory }, options));
  }

  withWeights(vectors: tf.Tensor, memory: tf.Tensor): Decoded {
    const { output, memoryWeights } = this.decoder.withWeights({ input: this.positions.call(vectors), memory });
    return { hidden: output, weights: memoryWeights };
  }

  initialState(memory: tf.Tensor, maximumTime: number): State {
    return this.decoder.initialCache(memory, { maximumTime });
  }

  step(vectors: tf.Tensor, state: State): { readonly hidden: tf.Tensor; readonly state: State } {
    const cache = state as DecoderCache;
    const placed = this.positions.call(tf.expandDims(vectors, 1), { positions: tf.expandDims(cache.lengths, 1) });
    const { output, cache: next } = this.decoder.step(placed, cache);
    return { hidden: tf.squeeze(output, [1]), state: next };
  }

  isFixed(path: string): boolean {
    return path === 'memoryLengths' || /^layers\.\d+\.memory\./.test(path);
  }
}

/**
 * A GRU that looks at the picture before each word, and starts from what it sees on average:
 *
 *     s₀ = tanh(W mean(m) + b)      c = attend(sₜ₋₁)      sₜ = GRU([xₜ; c], sₜ₋₁)      hidden = W' [sₜ; c] + b'
 *
 * Xu et al. 2015, arXiv:1502.03044, section 3.1.2, with soft attention.
 */
export class RecurrentCaptionDecoder extends Module implements CaptionDecoder {
  readonly bridge: Linear;
  readonly decoder: AttentionDecoder;
  readonly readout: Linear;
  readonly layers: number;

  constructor({ size, decoderLayers, dropout }: CompleteCaptionerConfig, rng: Rng) {
    super();
    this.layers = decoderLayers;
    this.bridge = new Linear({ inputSize: size, outputSize: size, rng: rng.split('bridge') });
    this.decoder = new AttentionDecoder({
      inputSize: size,
      attention: new AdditiveAttention({ querySize: size, memorySize: size, rng: rng.split('attention') }),
      cell: inputSize =>
        new GRU({ inputSize, hiddenSize: size, numLayers: decoderLayers, dropout, rng: rng.split('decoder') }),
    }) as unknown as AttentionDecoder;
    this.readout = new Linear({ inputSize: this.decoder.outputSize, outputSize: size, rng: rng.split('readout') });
  }

  call(vectors: tf.Tensor, memory: tf.Tensor, options: CallOptions): tf.Tensor {
    const { output } = atPath('decoder', () => this.decoder.call(vectors, this.#start(memory), options));
    return this.readout.call(output);
  }

  withWeights(vectors: tf.Tensor, memory: tf.Tensor): Decoded {
    const { output, weights } = this.decoder.call(vectors, this.#start(memory));
    return { hidden: this.readout.call(output), weights: [tf.expandDims(weights, 1)] };
  }

  initialState(memory: tf.Tensor): State {
    return tidyState(() => this.#start(memory));
  }

  step(vectors: tf.Tensor, state: State): { readonly hidden: tf.Tensor; readonly state: State } {
    const { output, state: next } = this.decoder.step(vectors, state as AttentionDecoderState);
    return { hidden: this.readout.call(output), state: next };
  }

  isFixed(path: string): boolean {
    return path === 'memory' || path === 'keys' || path === 'memoryLengths';
  }

  #start(memory: tf.Tensor): AttentionDecoderState {
    const hidden = tf.tanh(atPath('bridge', () => this.bridge.call(tf.mean(memory, 1))));
    return this.decoder.initialState(memory, { cell: Array.from({ length: this.layers }, () => ({ hidden })) });
  }
}
