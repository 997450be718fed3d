import { atPath, Dropout, type Initializer, Linear, Module, Rng } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';
import { TokenEncoder, type TokenEncoderCallOptions } from '../shared/token-encoder.ts';
import { type CompleteSequenceTaggerConfig, completeConfig, type SequenceTaggerConfig } from './config.ts';

/** Options of `SequenceTagger`: its configuration, and what is no plain data. */
export interface SequenceTaggerOptions extends SequenceTaggerConfig {
  /** Draws the first vectors of the tokens, e.g. pretrained ones (`readVectors` of `@ostinato/embeddings`). Default: normal(0.1). */
  readonly vectors?: Initializer | undefined;
  /** Where the first weights come from. Default `new Rng(0)`. */
  readonly rng?: Rng | undefined;
}

/**
 * Sequence tagger: x = E[ids]; h = encoder(x); logits_t = dropout(h_t) W + b, one for every tag at every token. Tags are independent
 * given h: there is no conditional random field over them.
 *
 * With a bidirectional LSTM: Huang et al. 2015, arXiv:1508.01991, section 2.2.
 */
export class SequenceTagger extends Module {
  readonly config: CompleteSequenceTaggerConfig;
  readonly encoder: TokenEncoder;
  readonly dropout: Dropout;
  readonly output: Linear;

  /** @throws ArgumentError when the configuration does not fit */
  constructor({ vectors, rng = new Rng(0), ...config }: SequenceTaggerOptions) {
    super();
    this.config = completeConfig(config);
    this.encoder = new TokenEncoder(this.config, { rng: rng.split('encoder'), initializer: vectors });
    this.dropout = new Dropout({ rate: this.config.dropout });
    this.output = new Linear({
      inputSize: this.encoder.outputSize,
      outputSize: this.config.labels.length,
      rng: rng.split('output'),
    });
  }

  /**
   * Unnormalised log-probabilities of the tags at every token.
   *
   * @param ids int32 [batch, time]; what stands behind the length of a row has no influence on what stands before
   * @returns float32 [batch, time, labels]
   * @throws ShapeError when ids or lengths do not fit; ArgumentError when an id is outside the vocabulary, or training with
   * dropout lacks an rng
   */
  call(ids: tf.Tensor, { lengths, training, rng }: TokenEncoderCallOptions = {}): tf.Tensor {
    return tf.tidy(() => {
      const states = atPath('encoder', () =>
        this.encoder.encode(this.encoder.embed(ids), { lengths, training, rng: rng?.split('encoder') }),
      ); // [B, T, H]
      return this.output.call(this.dropout.call(states, { training, rng: rng?.split('dropout') }));
    });
  }
}
