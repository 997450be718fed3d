import {
  ArgumentError,
  atPath,
  type CallOptions,
  type Complete,
  checkShape,
  Dropout,
  Linear,
  Module,
  Rng,
  type State,
} from '@ostinato/core';
import { Embedding, TiedOutput } from '@ostinato/embeddings';
import type * as tf from '@tensorflow/tfjs-core';
import { tidyState } from '../shared/tidy.ts';
import {
  completeRecurrentConfig,
  type RecurrentLanguageModelConfig,
  type RecurrentLayer,
  recurrentLayer,
} from './config.ts';

/** Options of `LanguageModel`: its configuration, and what is no plain data. */
export interface LanguageModelOptions extends RecurrentLanguageModelConfig {
  /**
   * A layer of your own in place of the configured one; its outputSize takes the place of hiddenSize. The configuration does not
   * describe it, so files of the model need it again: `decodeLanguageModel(bytes, { recurrent })`.
   */
  readonly recurrent?: RecurrentLayer | undefined;
  /** Where the first weights come from. Default `new Rng(0)`. */
  readonly rng?: Rng | undefined;
}

/** Options of `LanguageModel.call`. */
export interface LanguageModelCallOptions extends CallOptions {
  /** State before the first token, as `initialState` and `call` return it. It stays the caller's. Default: zeros. */
  readonly state?: State | undefined;
  /** Row-major [batch · time]: true where a new document begins, so that the state of that row starts from zero. */
  readonly resets?: ArrayLike<number | boolean> | undefined;
}

/** What `LanguageModel.call` and `step` return. The caller owns both. */
export interface LanguageModelResult {
  /** float32 [batch, time, vocabulary], of `step` `[batch, vocabulary]`: unnormalised log-probabilities of the next token. */
  readonly logits: tf.Tensor;
  readonly state: State;
}

/** What `LanguageModel.hidden` returns. The caller owns both. */
export interface HiddenResult {
  /** float32 [batch, time, hidden], after dropout. */
  readonly output: tf.Tensor;
  readonly state: State;
}

/**
 * Recurrent language model: x = E[ids]; h, s = recurrent(x, s₀); logits = dropout(h) W + b. Position t predicts token t+1.
 *
 * Mikolov et al. 2010, "Recurrent neural network based language model", Interspeech; with an LSTM: Zaremba et al. 2014,
 * arXiv:1409.2329. Dropout is theirs, not on the recurrence, but that they drop x too and this does not.
 */
export class LanguageModel extends Module {
  readonly config: Complete<RecurrentLanguageModelConfig>;
  /** How many tokens it can look back: what it carries has no end. */
  readonly contextLength: number = Infinity;
  /** Whether `recurrent` was given, so that `config` does not say what it computes. */
  readonly ownRecurrent: boolean;
  readonly embedding: Embedding;
  readonly recurrent: RecurrentLayer;
  readonly dropout: Dropout;
  readonly output: Linear | TiedOutput;

  /** @throws ArgumentError when a size is not a positive integer, or tied sizes differ */
  constructor({ recurrent, rng = new Rng(0), ...config }: LanguageModelOptions) {
    super();
    this.config = completeRecurrentConfig(recurrent ? { ...config, hiddenSize: recurrent.outputSize } : config);
    const { vocabularySize, embeddingSize, dropout, tied } = this.config;
    this.ownRecurrent = recurrent !== undefined;
    this.#checkWidths(recurrent);
    this.embedding = new Embedding({ vocabularySize, embeddingSize, rng: rng.split('embedding') });
    this.recurrent = recurrent ?? recurrentLayer(this.config, rng.split('recurrent'));
    this.dropout = new Dropout({ rate: dropout });
    this.output = tied
      ? new TiedOutput({ embedding: this.embedding })
      : new Linear({
          inputSize: this.recurrent.outputSize,
          outputSize: vocabularySize,
          rng: rng.split('output'),
        });
  }

  #checkWidths(recurrent: RecurrentLayer | undefined): void {
    const { embeddingSize, hiddenSize, tied } = this.config;
    if (recurrent && recurrent.inputSize !== embeddingSize) {
      throw new ArgumentError({
        where: 'LanguageModel',
        rule: 'the recurrent layer must read the embedding, inputSize = embeddingSize',
        expected: String(embeddingSize),
        got: String(recurrent.inputSize),
      });
    }
    if (tied && embeddingSize !== hiddenSize) {
      throw new ArgumentError({
        where: 'LanguageModel',
        rule: 'a tied output needs embeddingSize = hiddenSize',
        got: `${embeddingSize} and ${hiddenSize}`,
      });
    }
  }

  /** The state before the first token. The caller disposes it (`disposeState`). */
  initialState(batchSize: number): State {
    return this.recurrent.initialState(batchSize);
  }

  /**
   * The model up to its output layer: what `project` turns into logits.
   *
   * @param ids int32 [batch, time]
   * @returns output float32 [batch, time, hidden] and the state after the last position. The caller owns both.
   * @throws ShapeError when ids, state or resets do not fit; ArgumentError when an id is outside the vocabulary
   */
  hidden(ids: tf.Tensor, { state, resets, training, rng }: LanguageModelCallOptions = {}): HiddenResult {
    checkShape('LanguageModel.call', 'ids', ids, { batch: null, time: null }, 'int32');
    return tidyState(() => {
      const vectors = atPath('embedding', () => this.embedding.call(ids)); // [B, T, E]
      const options = { state, resets, training, rng: rng?.split('recurrent') };
      const result = atPath('recurrent', () => this.recurrent.call(vectors, options));
      const output = this.dropout.call(result.output, { training, rng: rng?.split('dropout') }); // [B, T, H]
      return { output, state: result.state };
    });
  }

  /** Hidden states float32 [..., hidden] → logits float32 [..., vocabulary]. */
  project(hidden: tf.Tensor): tf.Tensor {
    return atPath('output', () => this.output.call(hidden));
  }

  /**
   * Logits of the next token at every position. Parameters and errors are those of `hidden`.
   *
   * @returns logits float32 [batch, time, vocabulary] and the state after the last position
   */
  call(ids: tf.Tensor, options: LanguageModelCallOptions = {}): LanguageModelResult {
    return tidyState(() => {
      const { output, state } = this.hidden(ids, options);
      return { logits: this.project(output), state };
    });
  }

  /**
   * One token further, for generation.
   *
   * @param ids int32 [batch]
   * @returns logits float32 [batch, vocabulary] and the next state
   * @throws ShapeError when ids or state do not fit
   */
  step(ids: tf.Tensor, state: State): LanguageModelResult {
    checkShape('LanguageModel.step', 'ids', ids, { batch: null }, 'int32');
    return tidyState(() => {
      const vector = atPath('embedding', () => this.embedding.call(ids)); // [B, E]
      const result = atPath('recurrent', () => this.recurrent.step(vector, state));
      return { logits: this.project(result.output), state: result.state };
    });
  }
}
