import { glorotUniform, Linear, Module, parameters, Rng, uniform, valueAndGrad, zeros } from '@ostinato/core';
import { Embedding } from '@ostinato/embeddings';
import { softmaxCrossEntropy } from '@ostinato/ops';
import { GRU, kerasInitializers, LSTM, RNN } from '@ostinato/recurrent';
import { countKernels } from '@ostinato/testing';
import { adam, Optimizer } from '@ostinato/training';
import * as tf from '@tensorflow/tfjs-core';
import { fastest } from './report.ts';

const layers = { lstm: LSTM, gru: GRU, rnn: RNN };

/** Sizes of a character language model with one recurrent layer. */
export interface CharacterModelSizes {
  /** Default lstm. */
  readonly cell?: keyof typeof layers;
  readonly vocabulary: number;
  readonly embedding: number;
  readonly hidden: number;
}

/**
 * Whose initial weights: `ours` are the packages' defaults, which are PyTorch's; `keras` is Keras's default for every layer;
 * `lab` is Keras's with the Glorot uniform recurrent weights that the lab's own code asks for.
 */
export type InitialWeights = 'ours' | 'keras' | 'lab';

/** The network of Lab 1 of MIT's 6.S191: embedding, one LSTM (or another layer), a linear layer. */
export class CharacterModel extends Module {
  readonly embedding: Embedding;
  readonly recurrent: LSTM | GRU | RNN;
  readonly output: Linear;

  constructor(
    { cell = 'lstm', vocabulary, embedding, hidden }: CharacterModelSizes,
    rng: Rng,
    initialWeights: InitialWeights = 'ours',
  ) {
    super();
    const keras = initialWeights !== 'ours';
    const embeddingSizes = { vocabularySize: vocabulary, embeddingSize: embedding, rng: rng.split('embedding') };
    this.embedding = new Embedding({ ...embeddingSizes, ...(keras ? { initializer: uniform(-0.05, 0.05) } : {}) });
    this.recurrent = new layers[cell]({
      inputSize: embedding,
      hiddenSize: hidden,
      rng: rng.split(cell),
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
    const { output } = this.recurrent.call(this.embedding.call(inputs));
    return softmaxCrossEntropy({ logits: this.output.call(output), labels: targets });
  }
}

/** Floating-point operations of one training step: a multiplication and an addition per weight, forward and twice backward. */
export function stepFlops(
  { cell = 'lstm', vocabulary, embedding, hidden }: CharacterModelSizes,
  tokens: number,
): number {
  const gates = { lstm: 4, gru: 3, rnn: 1 }[cell];
  return 6 * tokens * (gates * hidden * (embedding + hidden) + hidden * vocabulary);
}

/** A training step, forward, backward, Adam, loss read back: its time and how many kernels it launches. */
export interface StepFigures {
  readonly milliseconds: number;
  readonly launches: number;
}

/** Figures of a training step on the active engine over random tokens [B, T]. */
export async function trainingStep(
  sizes: CharacterModelSizes,
  [batch, time]: readonly [number, number],
  repetitions: number,
): Promise<StepFigures> {
  const rng = new Rng(1);
  const model = new CharacterModel(sizes, rng);
  const optimizer = new Optimizer(adam({ learningRate: 5e-3 }), parameters(model));
  const inputs = randomTokens(rng, [batch, time], sizes.vocabulary);
  const targets = randomTokens(rng, [batch, time], sizes.vocabulary);
  const step = (): void => {
    const { value, gradients } = valueAndGrad(optimizer.parameters, () => ({ loss: model.loss(inputs, targets) }));
    optimizer.apply(gradients);
    value.dataSync();
    tf.dispose([value, ...gradients.values()]);
  };
  const milliseconds = await fastest(repetitions, step, 2);
  const { total } = await countKernels(step);
  tf.dispose([inputs, targets]);
  optimizer.dispose();
  model.dispose();
  return { milliseconds, launches: total };
}

/** int32 [batch, time] tokens drawn from `rng`. */
export function randomTokens(rng: Rng, [batch, time]: readonly [number, number], vocabulary: number): tf.Tensor2D {
  return tf.tensor2d(
    Int32Array.from({ length: batch * time }, () => rng.integer(vocabulary)),
    [batch, time],
    'int32',
  );
}
