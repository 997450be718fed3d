import {
  atPath,
  type CallOptions,
  checkNumber,
  checkShape,
  Dropout,
  Linear,
  Module,
  normal,
  Rng,
  zeros,
} from '@ostinato/core';
import { Embedding, LearnedPositions, TiedOutput } from '@ostinato/embeddings';
import * as tf from '@tensorflow/tfjs-core';
import { type EncoderCache, TransformerEncoder } from './encoder.ts';
import { tidy } from './tidy.ts';

/** Options of `GPT`: GPT-2's own are `{ vocabularySize: 50257, maximumTime: 1024, numLayers: 12, numHeads: 12, size: 768 }`. */
export interface GPTOptions {
  /** V */
  readonly vocabularySize: number;
  /** Most tokens that are read together. nanoGPT: `block_size`. */
  readonly maximumTime: number;
  /** nanoGPT: `n_layer`. */
  readonly numLayers: number;
  /** nanoGPT: `n_head`. */
  readonly numHeads: number;
  /** D. nanoGPT: `n_embd`. */
  readonly size: number;
  /** Rate of every dropout, in training. Default 0. */
  readonly dropout?: number | undefined;
  /** Whether projections have biases. The norms always do. Default true, as GPT-2. */
  readonly bias?: boolean | undefined;
  /** Whether the output layer shares the table of the token embedding. Default true, as GPT-2. */
  readonly tied?: boolean | undefined;
  /** Where the first weights come from. Default `new Rng(0)`. */
  readonly rng?: Rng | undefined;
}

/** What `GPT.step` returns. The caller owns both. */
export interface GPTStepResult {
  /** float32 [batch, vocabulary]: unnormalised log-probabilities of the token behind the last one read. */
  readonly logits: tf.Tensor;
  readonly state: EncoderCache;
}

/**
 * GPT-2: a language model of causal self-attention.
 *
 *     x = E[ids] + P[0 … T−1];   each layer: x ← x + attention(norm(x)), x ← x + feedForward(norm(x));   logits = norm(x) Eᵀ
 *
 * Norms come first in every layer, feed-forward is 4 D wide with GELU (its tanh form), and position t predicts token t + 1.
 *
 * Weights start normal with deviation 0.02, those in front of a residual with 0.02/√(2 · layers), since 2 · layers of them add up;
 * biases at 0.
 *
 * Radford et al. 2019, "Language models are unsupervised multitask learners", section 2.3; the layout follows Karpathy's nanoGPT.
 */
export class GPT extends Module {
  readonly tokens: Embedding;
  readonly positions: LearnedPositions;
  readonly dropout: Dropout;
  readonly blocks: TransformerEncoder;
  readonly output: TiedOutput | Linear;
  readonly maximumTime: number;
  readonly vocabularySize: number;

  /** @throws ArgumentError when an option is out of range */
  constructor({
    vocabularySize,
    maximumTime,
    numLayers,
    numHeads,
    size,
    dropout = 0,
    bias = true,
    tied = true,
    rng = new Rng(0),
  }: GPTOptions) {
    super();
    checkNumber('GPT', 'numLayers', numLayers, { integer: true, min: 1 });
    const initializer = normal(0.02);
    const sizes = { vocabularySize, embeddingSize: size };
    this.tokens = new Embedding({ ...sizes, initializer, rng: rng.split('tokens') });
    this.positions = new LearnedPositions({ maximumTime, size, initializer, rng: rng.split('positions') });
    this.dropout = new Dropout({ rate: dropout });
    this.blocks = new TransformerEncoder({
      ...{ size, numLayers, numHeads, dropout, bias, preNorm: true },
      activation: 'gelu-tanh',
      weightInitializer: initializer,
      outputInitializer: normal(0.02 / Math.sqrt(2 * numLayers)),
      biasInitializer: zeros,
      rng: rng.split('blocks'),
    });
    this.output = tied
      ? new TiedOutput({ embedding: this.tokens, bias: false })
      : new Linear({
          ...{ inputSize: size, outputSize: vocabularySize, bias: false, weightInitializer: initializer },
          rng: rng.split('output'),
        });
    this.maximumTime = maximumTime;
    this.vocabularySize = vocabularySize;
  }

  /**
   * Logits of the next token at every position.
   *
   * @param ids int32 [batch, time], at most maximumTime
   * @returns float32 [batch, time, vocabulary]
   * @throws ShapeError when ids do not fit; ArgumentError when an id is outside the vocabulary, there are more than maximumTime, or
   * training with dropout lacks an rng
   */
  call(ids: tf.Tensor, options: CallOptions = {}): tf.Tensor {
    return tf.tidy(() => this.project(this.hidden(ids, options)));
  }

  /** The model up to its output layer: int32 [batch, time] → float32 [batch, time, size]. */
  hidden(ids: tf.Tensor, { training, rng }: CallOptions = {}): tf.Tensor {
    checkShape('GPT.call', 'ids', ids, { batch: null, time: null }, 'int32');
    return tf.tidy(() => {
      const vectors = atPath('tokens', () => this.tokens.call(ids)); // [B, T, D]
      const placed = atPath('positions', () => this.positions.call(vectors));
      const x = this.dropout.call(placed, { training, rng: rng?.split('dropout') });
      return atPath('blocks', () => this.blocks.call(x, { causal: true, training, rng: rng?.split('blocks') }));
    });
  }

  /** float32 [..., size] → logits float32 [..., vocabulary]. */
  project(hidden: tf.Tensor): tf.Tensor {
    return atPath('output', () => this.output.call(hidden));
  }

  /**
   * The state before the first token: room for the keys and values of `maximumTime` tokens. The caller disposes it (`disposeState`).
   *
   * @param maximumTime default: the model's
   */
  initialState(batchSize: number, maximumTime: number = this.maximumTime): EncoderCache {
    checkNumber('GPT.initialState', 'batchSize', batchSize, { integer: true, min: 1 });
    checkNumber('GPT.initialState', 'maximumTime', maximumTime, { integer: true, min: 1, max: this.maximumTime });
    return this.blocks.initialCache(batchSize, maximumTime);
  }

  /**
   * Reads the next tokens of every row, one or several (a prompt), with the keys and values of all earlier ones from `state`: the
   * logits are those of `call` on all of them. For `generate` and beam search of `@ostinato/decoding`.
   *
   * @param ids int32 [batch] or [batch, time]
   * @param state of `initialState` or an earlier step; it stays the caller's and valid
   * @throws ShapeError when ids or state do not fit; ArgumentError when an id is outside the vocabulary, or the state is full
   */
  step(ids: tf.Tensor, state: EncoderCache): GPTStepResult {
    const batch = state.lengths.shape[0]!;
    const several = ids.rank === 2;
    checkShape('GPT.step', 'ids', ids, several ? { batch, time: null } : { batch }, 'int32');
    return tidy(() => {
      if (!several) {
        const x = tf.add(this.tokens.call(ids), this.positions.vectors(state.lengths)); // [B, D]
        const { output, cache } = atPath('blocks', () => this.blocks.step(x, state));
        return { logits: this.project(output), state: cache };
      }
      const time = ids.shape[1]!;
      const places = tf.add(tf.expandDims(state.lengths, 1), tf.range(0, time, 1, 'int32')); // [B, T]
      const x = this.positions.call(this.tokens.call(ids), { positions: places });
      const { output, cache } = atPath('blocks', () => this.blocks.step(x, state));
      const last = tf.slice(output, [0, time - 1, 0], [batch, 1, -1]);
      return { logits: this.project(tf.reshape(last, [batch, -1])), state: cache };
    });
  }
}
