import { Transformer } from '@ostinato/attention';
import { Linear, Module, normal, type Rng } from '@ostinato/core';
import { Embedding, SinusoidalPositions } from '@ostinato/embeddings';
import { crossEntropy } from '@ostinato/training';
import * as tf from '@tensorflow/tfjs-core';

/** A transformer of one layer and one head that writes words backwards. */
export class ReversingTransformer extends Module {
  readonly alphabet: number;
  readonly embedding: Embedding;
  readonly positions: SinusoidalPositions;
  readonly transformer: Transformer;
  readonly output: Linear;

  constructor({ alphabet, size, rng }: { alphabet: number; size: number; rng: Rng }) {
    super();
    this.alphabet = alphabet;
    this.embedding = new Embedding({ vocabularySize: alphabet + 1, embeddingSize: size, initializer: normal(1), rng });
    this.positions = new SinusoidalPositions({ size });
    this.transformer = new Transformer({
      ...{ size, numHeads: 1, encoderLayers: 1, decoderLayers: 1, feedForwardSize: 2 * size, preNorm: true },
      rng: rng.split('transformer'),
    });
    this.output = new Linear({ inputSize: size, outputSize: alphabet, rng: rng.split('output') });
  }

  /** Source and target vectors of words: the decoder reads a sign to begin and the answer but for its last symbol. */
  #vectors(words: readonly (readonly number[])[]): { source: tf.Tensor; target: tf.Tensor } {
    const vectors = (ids: readonly (readonly number[])[]): tf.Tensor =>
      this.positions.call(
        this.embedding.call(
          tf.tensor2d(
            ids.map(row => [...row]),
            undefined,
            'int32',
          ),
        ),
      );
    return {
      source: vectors(words),
      target: vectors(words.map(word => [this.alphabet, ...word.toReversed().slice(0, -1)])),
    };
  }

  /** Nats a symbol on random words. */
  loss(rng: Rng, { rows, symbols }: { rows: number; symbols: number }): tf.Tensor {
    const words = Array.from({ length: rows }, () => Array.from({ length: symbols }, () => rng.integer(this.alphabet)));
    const labels = tf.tensor2d(
      words.map(word => word.toReversed()),
      undefined,
      'int32',
    );
    return crossEntropy({ logits: this.output.call(this.transformer.call(this.#vectors(words))), labels });
  }

  /** Where each symbol of the answer looks: [answer, source]. */
  weights(word: readonly number[]): tf.Tensor {
    const { decoder } = this.transformer.withWeights(this.#vectors([word]));
    return tf.squeeze(decoder.memoryWeights[0]!, [0, 1]);
  }
}
