import { atPath, Dropout, type Initializer, Linear, Module, Rng } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';
import { Pooling } from '../shared/pooling.ts';
import { TokenEncoder, type TokenEncoderCallOptions } from '../shared/token-encoder.ts';
import { type CompleteTextClassifierConfig, completeConfig, type TextClassifierConfig } from './config.ts';

/** Options of `TextClassifier`: its configuration, and what is no plain data. */
export interface TextClassifierOptions extends TextClassifierConfig {
  /** Draws the first vectors of the tokens, e.g. pretrained ones (`readVectors` of `@ostinato/embeddings`). Default: normal(0.1). */
  readonly vectors?: Initializer | undefined;
  /** Where the first weights come from. Default `new Rng(0)`. */
  readonly rng?: Rng | undefined;
}

/**
 * Text classifier: x = E[ids]; h = encoder(x); logits = dropout(pooling(h)) W + b, one for every label.
 *
 * With 'bag' and 'mean' it is the neural bag of words (Iyyer et al. 2015, ACL), with 'convolution' and 'max' that of Kim 2014
 * (arXiv:1408.5882), with a bidirectional 'lstm' and 'attention' that of Zhou et al. 2016 (ACL, P16-2034).
 */
export class TextClassifier extends Module {
  readonly config: CompleteTextClassifierConfig;
  readonly encoder: TokenEncoder;
  readonly pooling: Pooling;
  readonly dropout: Dropout;
  readonly output: Linear;

  /** @throws ArgumentError when the configuration does not fit */
  constructor({ vectors, rng = new Rng(0), ...config }: TextClassifierOptions) {
    super();
    this.config = completeConfig(config);
    const { labels, pooling, dropout } = this.config;
    this.encoder = new TokenEncoder(this.config, { rng: rng.split('encoder'), initializer: vectors });
    const { outputSize: inputSize, backwardSize } = this.encoder;
    this.pooling = new Pooling({ inputSize, kinds: pooling, backwardSize, rng: rng.split('pooling') });
    this.dropout = new Dropout({ rate: dropout });
    this.output = new Linear({
      inputSize: this.pooling.outputSize,
      outputSize: labels.length,
      rng: rng.split('output'),
    });
  }

  /** Vectors of tokens: int32 [batch, time] → float32 [batch, time, E]. `call` is `classify` of these. */
  embed(ids: tf.Tensor): tf.Tensor {
    return atPath('encoder', () => this.encoder.embed(ids));
  }

  /**
   * The model behind its embedding: what gradients with respect to the tokens' vectors are taken of.
   *
   * @param vectors float32 [batch, time, E]
   * @returns logits float32 [batch, labels]
   */
  classify(vectors: tf.Tensor, options: TokenEncoderCallOptions = {}): tf.Tensor {
    const { lengths, training, rng } = options;
    return tf.tidy(() => {
      const states = atPath('encoder', () =>
        this.encoder.encode(vectors, { lengths, training, rng: rng?.split('encoder') }),
      ); // [B, T, H]
      const pooled = atPath('pooling', () => this.pooling.call(states, { lengths }));
      const dropped = this.dropout.call(pooled, { training, rng: rng?.split('dropout') });
      return this.output.call(dropped);
    });
  }

  /**
   * Unnormalised log-probabilities of the labels.
   *
   * @param ids int32 [batch, time]; what stands behind the length of a row has no influence
   * @returns float32 [batch, labels]
   * @throws ShapeError when ids or lengths do not fit; ArgumentError when an id is outside the vocabulary, or training with
   * dropout lacks an rng
   */
  call(ids: tf.Tensor, options: TokenEncoderCallOptions = {}): tf.Tensor {
    return tf.tidy(() => this.classify(this.embed(ids), options));
  }
}
