import { TransformerEncoder } from '@ostinato/attention';
import {
  atPath,
  type CallOptions,
  type Complete,
  checkShape,
  Dropout,
  type Initializer,
  Linear,
  Module,
  normal,
  type Rng,
} from '@ostinato/core';
import { Embedding, SinusoidalPositions } from '@ostinato/embeddings';
import { GRU, LSTM, RNN } from '@ostinato/recurrent';
import * as tf from '@tensorflow/tfjs-core';
import { ConvolutionStack } from './convolution.ts';
import { insideMask, type Lengths, readLengths } from './lengths.ts';
import type { TokenEncoderConfig } from './token-encoder-config.ts';

/** How a `TokenEncoder` runs. */
export interface TokenEncoderCallOptions extends CallOptions {
  /** Row b has the tokens 0 … lengths[b]−1 (right padding; 0 is allowed). Default: all. */
  readonly lengths?: Lengths | undefined;
}

const recurrent = { rnn: RNN, gru: GRU, lstm: LSTM } as const;

/** Self-attention over vectors of any width: a projection where the widths differ, positions, layers with norms in front. */
class TransformerBody extends Module {
  readonly projection: Linear | null;
  readonly positions: SinusoidalPositions;
  readonly layers: TransformerEncoder;

  constructor({ embeddingSize, hiddenSize, numLayers, numHeads, dropout }: Complete<TokenEncoderConfig>, rng: Rng) {
    super();
    this.projection =
      embeddingSize === hiddenSize
        ? null
        : new Linear({ inputSize: embeddingSize, outputSize: hiddenSize, rng: rng.split('projection') });
    this.positions = new SinusoidalPositions({ size: hiddenSize });
    this.layers = new TransformerEncoder({
      ...{ size: hiddenSize, numHeads, numLayers, dropout, preNorm: true },
      rng: rng.split('layers'),
    });
  }
}

/**
 * Vectors of a text in their context: x = E[ids], with whole words and single elements dropped in training; then the configured
 * layers over it. What the tasks that read whole texts share.
 *
 * Outputs behind the end of a row are zero, and what stands there has no influence.
 *
 * Word dropout: Iyyer et al. 2015, "Deep unordered composition rivals syntactic methods for text classification", ACL, section 3.1.
 */
export class TokenEncoder extends Module {
  readonly config: Complete<TokenEncoderConfig>;
  readonly embedding: Embedding;
  readonly wordDropout: Dropout;
  readonly embeddingDropout: Dropout;
  readonly body: RNN | GRU | LSTM | ConvolutionStack | TransformerBody | null;
  readonly outputSize: number;
  /** Width of the part of the output that reads backward in time: the last features. */
  readonly backwardSize: number;

  /** @throws ArgumentError when the configuration does not fit */
  constructor(
    config: Complete<TokenEncoderConfig>,
    { rng, initializer }: { rng: Rng; initializer?: Initializer | undefined },
  ) {
    super();
    this.config = config;
    const { vocabularySize, embeddingSize, encoder, hiddenSize, numLayers, bidirectional, dropout } = config;
    this.wordDropout = new Dropout({ rate: config.wordDropout });
    this.embeddingDropout = new Dropout({ rate: config.embeddingDropout });
    const bodyRng = rng.split('body');
    switch (encoder) {
      case 'bag':
        this.body = null;
        this.outputSize = embeddingSize;
        break;
      case 'convolution':
        this.body = new ConvolutionStack({ ...config, inputSize: embeddingSize, rng: bodyRng });
        this.outputSize = this.body.outputSize;
        break;
      case 'transformer':
        this.body = new TransformerBody(config, bodyRng);
        this.outputSize = hiddenSize;
        break;
      default:
        this.body = new recurrent[encoder]({
          ...{ inputSize: embeddingSize, hiddenSize, numLayers, bidirectional, dropout },
          rng: bodyRng,
        });
        this.outputSize = this.body.outputSize;
    }
    this.backwardSize = encoder in recurrent && bidirectional ? hiddenSize : 0;
    this.embedding = new Embedding({
      ...{ vocabularySize, embeddingSize, initializer: initializer ?? normal(0.1), rng: rng.split('embedding') },
      // Beside positions, whose elements are up to 1: Vaswani et al. 2017, section 3.4.
      scale: encoder === 'transformer' ? Math.sqrt(embeddingSize) : 1,
    });
  }

  /** Vectors of tokens, without dropout: int32 [batch, time] → float32 [batch, time, E]. */
  embed(ids: tf.Tensor): tf.Tensor {
    checkShape('TokenEncoder.embed', 'ids', ids, { batch: null, time: null }, 'int32');
    return atPath('embedding', () => this.embedding.call(ids));
  }

  /**
   * @param vectors float32 [batch, time, E], as `embed` returns them
   * @returns float32 [batch, time, outputSize], zero from each row's length on
   * @throws ShapeError or ArgumentError when vectors or lengths do not fit, or training with dropout lacks an rng
   */
  encode(vectors: tf.Tensor, { lengths, training, rng }: TokenEncoderCallOptions = {}): tf.Tensor {
    const where = 'TokenEncoder.encode';
    const { embeddingSize } = this.config;
    checkShape(where, 'vectors', vectors, { batch: null, time: null, embeddingSize }, 'float32');
    const [batch, time] = vectors.shape as [number, number, number];
    const ends = readLengths(where, lengths, { batch, time });
    return tf.tidy(() => {
      const inside = insideMask(ends, time); // [B, T, 1]
      const kept = this.wordDropout.call(inside, { training, rng: rng?.split('words') });
      const dropped = this.embeddingDropout.call(vectors, { training, rng: rng?.split('embedding') });
      const x = tf.mul(dropped, kept); // [B, T, E]
      const options = { training, rng: rng?.split('body') };
      const { body } = this;
      if (body === null) return x;
      if (body instanceof ConvolutionStack) return atPath('body', () => body.call(x, inside, options));
      if (body instanceof TransformerBody) {
        const projected = body.projection ? body.projection.call(x) : x; // [B, T, H]
        const layers = body.layers;
        const output = atPath('body.layers', () =>
          layers.call(body.positions.call(projected), { ...options, keyLengths: ends }),
        );
        return tf.mul(output, inside);
      }
      return atPath('body', () => body.call(x, { ...options, lengths: ends }).output);
    });
  }
}
