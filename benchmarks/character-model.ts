import { glorotUniform, Linear, Module, type Rng, uniform, zeros } from '@ostinato/core';
import { Embedding } from '@ostinato/embeddings';
import { softmaxCrossEntropy } from '@ostinato/ops';
import { kerasInitializers, LSTM } from '@ostinato/recurrent';
import * as tf from '@tensorflow/tfjs-core';

/** Sizes of a character language model with one LSTM. */
export interface CharacterModelSizes {
  readonly vocabulary: number;
  readonly embedding: number;
  readonly hidden: number;
}

/**
 * Whose initial weights: `ours` are the packages' defaults, which are PyTorch's; `keras` is Keras's default for every layer;
 * `lab` is Keras's with the Glorot uniform recurrent weights that the lab's own code asks for.
 */
export type InitialWeights = 'ours' | 'keras' | 'lab';

/** The network of Lab 1 of MIT's 6.S191: embedding, one LSTM, a linear layer. */
export class CharacterModel extends Module {
  readonly embedding: Embedding;
  readonly lstm: LSTM;
  readonly output: Linear;

  constructor(
    { vocabulary, embedding, hidden }: CharacterModelSizes,
    rng: Rng,
    initialWeights: InitialWeights = 'ours',
  ) {
    super();
    const keras = initialWeights !== 'ours';
    const embeddingSizes = { vocabularySize: vocabulary, embeddingSize: embedding, rng: rng.split('embedding') };
    this.embedding = new Embedding({ ...embeddingSizes, ...(keras ? { initializer: uniform(-0.05, 0.05) } : {}) });
    this.lstm = new LSTM({
      inputSize: embedding,
      hiddenSize: hidden,
      rng: rng.split('lstm'),
      ...(keras ? kerasInitializers : {}),
      ...(initialWeights === 'lab' ? { recurrentInitializer: glorotUniform } : {}),
    });
    this.output = new Linear({
      inputSize: hidden,
      outputSize: vocabulary,
      rng: rng.split('output'),
      ...(keras ? { weightInitializer: glorotUniform, biasInitializer: zeros } : {}),
    });
  }

  /** Mean cross-entropy of the next character, in nats, from a zero state: int32 [B, T] twice to a float32 scalar. */
  loss(inputs: tf.Tensor, targets: tf.Tensor): tf.Tensor {
    const { output } = this.lstm.call(this.embedding.call(inputs));
    return softmaxCrossEntropy({ logits: this.output.call(output), labels: targets });
  }
}

/** Floating-point operations of one training step: a multiplication and an addition per weight, forward and twice backward. */
export function stepFlops({ vocabulary, embedding, hidden }: CharacterModelSizes, tokens: number): number {
  return 6 * tokens * (4 * hidden * (embedding + hidden) + hidden * vocabulary);
}

/** int32 [batch, time] tokens drawn from `rng`. */
export function randomTokens(rng: Rng, [batch, time]: readonly [number, number], vocabulary: number): tf.Tensor2D {
  return tf.tensor2d(
    Int32Array.from({ length: batch * time }, () => rng.integer(vocabulary)),
    [batch, time],
    'int32',
  );
}
