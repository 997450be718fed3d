import {
  checkNumber,
  checkShape,
  type Initializer,
  initialParameter,
  Module,
  normal,
  Rng,
  variable,
} from '@ostinato/core';
import { embeddingLookup } from '@ostinato/ops';
import * as tf from '@tensorflow/tfjs-core';

/** Options of `Embedding`. */
export interface EmbeddingOptions {
  /** V, number of tokens. */
  readonly vocabularySize: number;
  /** E, width of a token's vector. */
  readonly embeddingSize: number;
  /** Token whose vector is zero and stays zero: the padding token. Default: none. */
  readonly paddingIndex?: number | undefined;
  /**
   * Default: normal(1), as PyTorch. Keras starts from uniform(−0.05, 0.05); with a tied output small values such as
   * normal(0.02) keep the first logits small.
   */
  readonly initializer?: Initializer | undefined;
  /** Factor on the vectors that `call` returns, e.g. √E (Vaswani et al. 2017, section 3.4). Default 1. */
  readonly scale?: number | undefined;
  /** Where the first vectors come from. Default `new Rng(0)`: two tables of one size that are not given theirs start alike. */
  readonly rng?: Rng | undefined;
}

/**
 * Token embedding: y = scale · E[ids], one learned vector per token.
 *
 * `table` is E, float32 [vocabularySize, embeddingSize]. The row `paddingIndex` starts at zero and gets no gradient, neither
 * from `call` nor from `attend`.
 *
 * Bengio et al. 2003, "A neural probabilistic language model", JMLR 3, section 2.
 */
export class Embedding extends Module {
  readonly vocabularySize: number;
  readonly embeddingSize: number;
  readonly paddingIndex: number | null;
  readonly scale: number;
  readonly table: tf.Variable;

  /** @throws ArgumentError when a size is not a positive integer, or paddingIndex not one of the tokens */
  constructor({
    vocabularySize,
    embeddingSize,
    paddingIndex,
    initializer = normal(1),
    scale = 1,
    rng = new Rng(0),
  }: EmbeddingOptions) {
    super();
    checkNumber('Embedding', 'vocabularySize', vocabularySize, { integer: true, min: 1 });
    checkNumber('Embedding', 'embeddingSize', embeddingSize, { integer: true, min: 1 });
    checkNumber('Embedding', 'scale', scale);
    if (paddingIndex !== undefined) {
      checkNumber('Embedding', 'paddingIndex', paddingIndex, { integer: true, min: 0, max: vocabularySize - 1 });
    }
    this.vocabularySize = vocabularySize;
    this.embeddingSize = embeddingSize;
    this.paddingIndex = paddingIndex ?? null;
    this.scale = scale;
    this.table = initialParameter('Embedding.table', [vocabularySize, embeddingSize], shape =>
      tf.tidy(() => {
        const drawn = initializer(shape, rng.split('table'));
        return this.paddingIndex === null ? drawn : tf.mul(drawn, exceptRow(vocabularySize, this.paddingIndex));
      }),
    );
  }

  /**
   * The vectors of some tokens.
   *
   * @param ids int32 of any shape, each in 0 … vocabularySize−1
   * @returns float32 [...ids, embeddingSize]
   * @throws ShapeError when ids are not int32; ArgumentError when an id lies outside the vocabulary (on a GPU ids are trusted)
   */
  call(ids: tf.Tensor): tf.Tensor {
    const options = this.paddingIndex === null ? {} : { paddingIndex: this.paddingIndex };
    return tf.tidy(() => {
      const vectors = embeddingLookup({ table: this.table, ids }, options);
      return this.scale === 1 ? vectors : tf.mul(vectors, this.scale);
    });
  }

  /**
   * How well a hidden state fits every token: logits = h Eᵀ, unscaled. The output layer of a model with tied weights.
   *
   * Press and Wolf 2017, "Using the output embedding to improve language models", arXiv:1608.05859; Inan et al. 2017,
   * arXiv:1611.01462.
   *
   * @param hidden float32 [..., embeddingSize]
   * @returns float32 [..., vocabularySize]; the logit of the padding token is zero
   * @throws ShapeError when the last axis is not embeddingSize
   */
  attend(hidden: tf.Tensor): tf.Tensor {
    const leading = hidden.shape.slice(0, -1);
    const axes = Object.fromEntries(leading.map((_, i) => [`axis${i}`, null]));
    checkShape('Embedding.attend', 'hidden', hidden, { ...axes, embeddingSize: this.embeddingSize }, 'float32');
    return tf.tidy(() => {
      const rows = leading.length === 1 ? hidden : tf.reshape(hidden, [-1, this.embeddingSize]); // [N, E]
      // The product with 0 keeps the gradient out of the padding row, as the lookup does.
      const frozen = this.paddingIndex === null ? null : exceptRow(this.vocabularySize, this.paddingIndex);
      const table = frozen ? tf.mul(this.table, frozen) : this.table;
      const logits = tf.matMul(rows, table, false, true);
      return leading.length === 1 ? logits : tf.reshape(logits, [...leading, this.vocabularySize]);
    });
  }
}

/** Ones, and a zero at `row`: float32 [rows, 1]. */
function exceptRow(rows: number, row: number): tf.Tensor {
  const column = new Float32Array(rows).fill(1);
  column[row] = 0;
  return tf.tensor2d(column, [rows, 1]);
}

/** Options of `TiedOutput`. */
export interface TiedOutputOptions {
  /** The embedding whose table is the weight of this layer too. */
  readonly embedding: Embedding;
  /** Whether every token has a learned bias, zero at the start. Default true. */
  readonly bias?: boolean | undefined;
}

/**
 * Output layer that shares its weight with the embedding: logits = h Eᵀ + b. See `Embedding.attend`.
 *
 * `parameters` lists the shared table once, under the path it meets first.
 */
export class TiedOutput extends Module {
  readonly embedding: Embedding;
  /** float32 [vocabularySize] */
  readonly bias: tf.Variable | null;

  constructor({ embedding, bias = true }: TiedOutputOptions) {
    super();
    this.embedding = embedding;
    this.bias = bias ? variable(tf.zeros([embedding.vocabularySize])) : null;
  }

  /** float32 [..., embeddingSize] → logits, float32 [..., vocabularySize]. Throws ShapeError when the last axis differs. */
  call(hidden: tf.Tensor): tf.Tensor {
    return tf.tidy(() => {
      const logits = this.embedding.attend(hidden);
      return this.bias ? tf.add(logits, this.bias) : logits;
    });
  }
}
