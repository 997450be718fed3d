import '@ostinato/backend-cpu';
import { Linear, Module, parameters, Rng, valueAndGrad } from '@ostinato/core';
import type { GRU, LSTM, RNN } from '@ostinato/recurrent';
import type { AddingBatch, TokenBatch } from '@ostinato/testing';
import { adam, chain, clipByGlobalNorm, crossEntropy, mse, Optimizer } from '@ostinato/training';
import * as tf from '@tensorflow/tfjs-core';

/** A recurrent layer, and a linear layer on the output of every step. */
class SequenceModel extends Module {
  readonly layer: RNN | LSTM | GRU;
  readonly output: Linear;

  constructor({ layer, outputSize, rng }: { layer: RNN | LSTM | GRU; outputSize: number; rng: Rng }) {
    super();
    this.layer = layer;
    this.output = new Linear({ inputSize: layer.outputSize, outputSize, rng });
  }

  /** float32 [B, T, D] to [B, T, outputSize]; zero hidden states from each row's length on. */
  call(input: tf.Tensor, lengths?: readonly number[]): tf.Tensor {
    return this.output.call(this.layer.call(input, { lengths }).output);
  }

  /** float32 [B, T, D] to [B, outputSize]: of the last step alone. */
  last(input: tf.Tensor): tf.Tensor {
    const { output } = this.layer.call(input); // [B, T, H]
    const [batch, time, width] = output.shape as [number, number, number];
    return this.output.call(tf.squeeze(tf.slice(output, [0, time - 1, 0], [batch, 1, width]), [1]));
  }
}

/** A task: fresh batches for ever, a loss to train on, a score to be judged by. */
export interface Task<Batch> {
  readonly outputSize: number;
  readonly inputSize: number;
  /** The batch that `rng` draws. */
  batch(rng: Rng, size: number): Batch;
  /** A float32 scalar. */
  loss(model: SequenceModel, batch: Batch): tf.Tensor;
  /** On one batch: the mean squared error, or the share of right answers. */
  score(model: SequenceModel, batch: Batch): number;
  /** Whether a score is good enough to stop. */
  learned(score: number): boolean;
}

/** What `learn` takes. */
export interface LearnOptions<Batch> {
  readonly task: Task<Batch>;
  readonly layer: (options: { inputSize: number; rng: Rng }) => RNN | LSTM | GRU;
  /** The most steps; training ends earlier when the task is learned. */
  readonly steps: number;
  readonly learningRate: number;
  readonly seed: number;
  /** Rows of a training batch. Default 32. */
  readonly batchSize?: number;
}

/** What came of training. */
export interface Learned {
  /** Score on 1,000 sequences that were not seen, which did not decide when to stop either. */
  readonly score: number;
  /** Steps that were made. */
  readonly steps: number;
  readonly model: SequenceModel;
  /** The run's random numbers, to split further ones off. */
  readonly rng: Rng;
}

/** Steps between looks at the validation score. */
const interval = 50;

/** Trains on fresh batches with Adam and a clipped norm of 1 until the task is learned or the steps are used up. */
export function learn<Batch>({ task, layer, steps, learningRate, seed, batchSize = 32 }: LearnOptions<Batch>): Learned {
  const rng = new Rng(seed);
  const { inputSize, outputSize } = task;
  const model = new SequenceModel({
    layer: layer({ inputSize, rng: rng.split('layer') }),
    outputSize,
    rng: rng.split('output'),
  });
  const optimizer = new Optimizer(chain(clipByGlobalNorm(1), adam({ learningRate })), parameters(model));
  const training = rng.split('training');
  const validation = task.batch(rng.split('validation'), 200);
  let step = 0;
  while (step < steps) {
    const batch = task.batch(training, batchSize);
    const { value, gradients } = valueAndGrad(optimizer.parameters, () => ({ loss: task.loss(model, batch) }));
    optimizer.apply(gradients);
    tf.dispose([value, ...gradients.values()]);
    step++;
    if (step % interval === 0 && task.learned(task.score(model, validation))) break;
  }
  optimizer.dispose();
  return { score: task.score(model, task.batch(rng.split('test'), 1000)), steps: step, model, rng };
}

/** The adding problem, scored by the mean squared error; the answer is read at the last step. */
export function adding({
  batch,
  error,
}: {
  batch: (rng: Rng, size: number) => AddingBatch;
  error: number;
}): Task<AddingBatch> {
  const loss = (model: SequenceModel, { inputs, targets, shape }: AddingBatch): tf.Tensor => {
    const prediction = model.last(tf.tensor3d(inputs, [...shape]));
    return mse({ prediction, target: tf.tensor2d(targets, [shape[0], 1]) });
  };
  return {
    inputSize: 2,
    outputSize: 1,
    batch,
    loss,
    score: (model, data) => tf.tidy(() => loss(model, data).dataSync()[0]!),
    learned: score => score <= error,
  };
}

/** A batch of tokens, and how long its rows are when they differ. */
export type Tokens = TokenBatch & { readonly lengths?: readonly number[] };

/** A task with an answer of one token at every labelled step, scored by the share of right answers. */
export function answers({
  vocabularySize,
  batch,
  accuracy,
}: {
  vocabularySize: number;
  batch: (rng: Rng, size: number) => Tokens;
  accuracy: number;
}): Task<Tokens> {
  const logits = (model: SequenceModel, { inputs, shape, lengths }: Tokens): tf.Tensor =>
    model.call(tf.oneHot(tf.tensor2d(inputs, [...shape], 'int32'), vocabularySize, 1, 0, 'float32'), lengths);
  return {
    inputSize: vocabularySize,
    outputSize: vocabularySize,
    batch,
    loss: (model, data) => {
      const labels = tf.tensor2d(data.targets, [...data.shape], 'int32');
      return crossEntropy({ logits: logits(model, data), labels }, { ignoreIndex: data.ignoreIndex });
    },
    score: (model, data) => {
      const guesses = tf.tidy(() => tf.argMax(logits(model, data), -1).dataSync()); // B·T
      const asked = [...data.targets.keys()].filter(index => data.targets[index] !== data.ignoreIndex);
      return asked.filter(index => guesses[index] === data.targets[index]).length / asked.length;
    },
    learned: score => score >= accuracy,
  };
}
