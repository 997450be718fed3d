import { atPath, type CallOptions, checkShape, Dropout, Module, normal, Rng, type State } from '@ostinato/core';
import { Embedding, TiedOutput } from '@ostinato/embeddings';
import * as tf from '@tensorflow/tfjs-core';
import { tidyState } from '../shared/tidy.ts';
import { type CaptionDecoder, RecurrentCaptionDecoder, TransformerCaptionDecoder } from './caption-decoder.ts';
import { type CaptionerConfig, type CompleteCaptionerConfig, completeConfig } from './config.ts';
import { PictureEncoder } from './picture-encoder.ts';

/** Pictures and what is known of their captions. */
export interface CaptionerInputs {
  /** float32 [batch, side, side, 3], 0 … 1; of given features float32 [batch, positions, featureSize]. */
  readonly pictures: tf.Tensor;
  /** int32 [batch, time]: the beginning token, then the caption. */
  readonly target: tf.Tensor;
}

/**
 * Says what a picture shows: an encoder makes vectors of its places, a decoder looks at them word by word.
 *
 *     m = encoder(picture)      logits = decoder(√D E[words], m) Eᵀ
 *
 * Xu et al. 2015, arXiv:1502.03044; the decoder of Vaswani et al. 2017, arXiv:1706.03762.
 */
export class Captioner extends Module {
  readonly config: CompleteCaptionerConfig;
  readonly encoder: PictureEncoder;
  readonly embedding: Embedding;
  readonly decoder: CaptionDecoder;
  readonly output: TiedOutput;
  readonly dropout: Dropout;

  /** @throws ArgumentError when an option is out of range */
  constructor({ rng = new Rng(0), ...config }: CaptionerConfig & { readonly rng?: Rng | undefined }) {
    super();
    this.config = completeConfig(config);
    const { vocabularySize, size, dropout, decoder } = this.config;
    this.encoder = new PictureEncoder(this.config, rng.split('encoder'));
    this.embedding = new Embedding({
      ...{ vocabularySize, embeddingSize: size, scale: Math.sqrt(size), initializer: normal(size ** -0.5) },
      rng: rng.split('embedding'),
    });
    const make = decoder === 'transformer' ? TransformerCaptionDecoder : RecurrentCaptionDecoder;
    this.decoder = new make(this.config, rng.split('decoder'));
    this.output = new TiedOutput({ embedding: this.embedding, bias: false });
    this.dropout = new Dropout({ rate: dropout });
  }

  /**
   * Logits of the next token at every position of a known caption.
   *
   * @returns float32 [batch, time, vocabulary]
   * @throws ShapeError when a tensor does not fit; ArgumentError when an id lies outside the vocabulary, or training has no rng
   */
  call({ pictures, target }: CaptionerInputs, options: CallOptions = {}): tf.Tensor {
    return tf.tidy(() => {
      const { training, rng } = options;
      const memory = this.#drop(this.#encode(pictures, { training, rng: rng?.split('encoder') }), {
        training,
        rng: rng?.split('memory'),
      });
      const vectors = this.#drop(this.#embed(pictures, target), { training, rng: rng?.split('target') });
      const hidden = atPath('decoder', () =>
        this.decoder.call(vectors, memory, { training, rng: rng?.split('decoder') }),
      );
      return this.output.call(hidden);
    });
  }

  /**
   * Where every position of a known caption looked: of each layer float32 [batch, heads, time, places], places row after row of
   * `encoder.grid`; rows sum to 1. The caller owns them.
   */
  attention({ pictures, target }: CaptionerInputs): readonly tf.Tensor[] {
    return tidyState(() => this.decoder.withWeights(this.#embed(pictures, target), this.#encode(pictures, {})).weights);
  }

  /** The state before the first word: the encoded pictures. The caller disposes it (`disposeState`). */
  initialState(pictures: tf.Tensor, { maximumTime }: { readonly maximumTime: number }): State {
    return tidyState(() => this.decoder.initialState(this.#encode(pictures, {}), maximumTime));
  }

  /** One token further: ids int32 [batch] → logits float32 [batch, vocabulary] and the next state, both the caller's. */
  step(ids: tf.Tensor, state: State): { readonly logits: tf.Tensor; readonly state: State } {
    checkShape('Captioner.step', 'ids', ids, { batch: null }, 'int32');
    return tidyState(() => {
      const { hidden, state: next } = this.decoder.step(this.embedding.call(ids), state);
      return { logits: this.output.call(hidden), state: next };
    });
  }

  /** Whether the tensor at a path of the state belongs to the picture: see `isFixed` of `beamSearch`. */
  isFixed(path: string): boolean {
    return this.decoder.isFixed(path);
  }

  #encode(pictures: tf.Tensor, options: CallOptions): tf.Tensor {
    return atPath('encoder', () => this.encoder.call(pictures, options));
  }

  #embed(pictures: tf.Tensor, target: tf.Tensor): tf.Tensor {
    checkShape('Captioner.call', 'target', target, { batch: pictures.shape[0]!, time: null }, 'int32');
    return atPath('embedding', () => this.embedding.call(target));
  }

  #drop(x: tf.Tensor, options: CallOptions): tf.Tensor {
    return options.training ? this.dropout.call(x, options) : x;
  }
}
