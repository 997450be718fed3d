import { GPT, Transformer } from '@ostinato/attention';
import { Linear, Module, normal, type Rng } from '@ostinato/core';
import { Embedding, SinusoidalPositions } from '@ostinato/embeddings';
import { softmaxCrossEntropy } from '@ostinato/ops';
import type * as tf from '@tensorflow/tfjs-core';

/** nanoGPT's configuration for a CPU (train_shakespeare_char with the options of its README). */
export const gptSizes = { vocabulary: 65, block: 64, layers: 4, heads: 4, width: 128 };

/** The GPT of `gptSizes`: tied output, no biases in the projections, no dropout. */
export function smallGpt(rng: Rng): GPT {
  const { vocabulary: vocabularySize, block: maximumTime, layers: numLayers, heads: numHeads, width: size } = gptSizes;
  return new GPT({ vocabularySize, maximumTime, numLayers, numHeads, size, bias: false, rng });
}

/** Sizes of the translation transformer. */
export const translationSizes = { vocabulary: 8000, layers: 3, heads: 8, width: 256, feedForward: 1024 };

/** Encoder and decoder over one vocabulary, post-norm as in the paper, with an output layer of its own. */
export class TranslationModel extends Module {
  readonly source: Embedding;
  readonly target: Embedding;
  readonly positions: SinusoidalPositions;
  readonly transformer: Transformer;
  readonly output: Linear;

  constructor(rng: Rng) {
    super();
    const { vocabulary, layers, heads, width, feedForward } = translationSizes;
    const table = { vocabularySize: vocabulary, embeddingSize: width, initializer: normal(width ** -0.5) };
    this.source = new Embedding({ ...table, scale: Math.sqrt(width), rng: rng.split('source') });
    this.target = new Embedding({ ...table, scale: Math.sqrt(width), rng: rng.split('target') });
    this.positions = new SinusoidalPositions({ size: width });
    this.transformer = new Transformer({
      ...{ size: width, numHeads: heads, encoderLayers: layers, decoderLayers: layers, feedForwardSize: feedForward },
      rng: rng.split('transformer'),
    });
    this.output = new Linear({ inputSize: width, outputSize: vocabulary, rng: rng.split('output') });
  }

  /** Mean cross-entropy: three times int32 [B, T] to a float32 scalar. */
  loss(source: tf.Tensor, target: tf.Tensor, labels: tf.Tensor): tf.Tensor {
    const vectors = {
      source: this.positions.call(this.source.call(source)),
      target: this.positions.call(this.target.call(target)),
    };
    return softmaxCrossEntropy({ logits: this.output.call(this.transformer.call(vectors)), labels });
  }
}
