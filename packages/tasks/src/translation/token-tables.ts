import { type Complete, Linear, Module, normal, type Rng } from '@ostinato/core';
import { Embedding, TiedOutput } from '@ostinato/embeddings';
import * as tf from '@tensorflow/tfjs-core';
import type { TranslatorConfig } from './config.ts';

/** Options of `TokenTables`. */
interface TokenTablesOptions {
  readonly config: Pick<Complete<TranslatorConfig>, 'vocabularySize' | 'targetVocabularySize' | 'tying'>;
  /** Width of the vectors, and of what `logits` takes. */
  readonly size: number;
  /** Factor on the vectors. */
  readonly scale: number;
  readonly rng: Rng;
}

/** The vectors of source and target tokens, and the output layer: one to three tables. */
export class TokenTables extends Module {
  readonly source: Embedding;
  readonly target: Embedding;
  readonly output: Linear | TiedOutput;

  constructor({ config, size, scale, rng }: TokenTablesOptions) {
    super();
    const { vocabularySize, targetVocabularySize, tying } = config;
    // With √D as scale, vectors start with variance 1 and logits stay small (Vaswani et al. 2017, section 3.4).
    const shared = { embeddingSize: size, scale, initializer: normal(size ** -0.5) };
    this.source = new Embedding({ ...shared, vocabularySize, rng: rng.split('source') });
    this.target =
      tying === 'all'
        ? this.source
        : new Embedding({ ...shared, vocabularySize: targetVocabularySize, rng: rng.split('target') });
    this.output =
      tying === 'none'
        ? new Linear({ inputSize: size, outputSize: targetVocabularySize, bias: false, rng: rng.split('output') })
        : new TiedOutput({ embedding: this.target, bias: false });
  }

  /** float32 [..., size] → [..., vocabulary] */
  logits(hidden: tf.Tensor): tf.Tensor {
    return tf.tidy(() => this.output.call(hidden));
  }
}
