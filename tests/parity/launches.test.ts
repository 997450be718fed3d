import '@ostinato/backend-cpu';
import { Linear, Module, parameters, Rng, valueAndGrad } from '@ostinato/core';
import { Embedding } from '@ostinato/embeddings';
import { softmaxCrossEntropy } from '@ostinato/ops';
import { GRU, LSTM, RNN } from '@ostinato/recurrent';
import { countKernels } from '@ostinato/testing';
import { adam, Optimizer } from '@ostinato/training';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, describe, expect, it } from 'vitest';

const sizes = { batch: 2, vocabularySize: 7, embeddingSize: 3, hiddenSize: 4 };
const layer = { inputSize: sizes.embeddingSize, hiddenSize: sizes.hiddenSize };

/** A character-level recurrent network. */
class CharacterModel extends Module {
  readonly embedding: Embedding = new Embedding(sizes);
  readonly recurrent: LSTM | GRU | RNN;
  readonly output: Linear = new Linear({ inputSize: sizes.hiddenSize, outputSize: sizes.vocabularySize });

  constructor(recurrent: LSTM | GRU | RNN) {
    super();
    this.recurrent = recurrent;
  }
}

/** One step of training: loss, gradients, Adam for every parameter. */
function trainingStep(model: CharacterModel, time: number): void {
  const rng = new Rng(time);
  const draw = (): tf.Tensor =>
    tf.tensor2d(
      Array.from({ length: sizes.batch * time }, () => rng.integer(sizes.vocabularySize)),
      [sizes.batch, time],
      'int32',
    );
  const [inputs, labels] = [draw(), draw()];
  const named = parameters(model);
  const { value, gradients } = valueAndGrad(named, () => {
    const { output } = model.recurrent.call(model.embedding.call(inputs));
    return { loss: softmaxCrossEntropy({ logits: model.output.call(output), labels }) };
  });
  const optimizer = new Optimizer(adam({ learningRate: 1e-2 }), named);
  optimizer.apply(gradients);
  optimizer.dispose();
  tf.dispose([inputs, labels, value, ...gradients.values()]);
}

afterEach(async () => {
  await tf.setBackend('cpu');
});

describe.each([
  ['LSTM', () => new LSTM(layer)],
  ['LSTM of two layers', () => new LSTM({ ...layer, numLayers: 2 })],
  ['GRU', () => new GRU(layer)],
  ['RNN', () => new RNN(layer)],
] as const)('a training step of a character model with %s', (_, recurrent) => {
  it('launches as many kernels for 50 time steps as for 5', async () => {
    await tf.setBackend('ostinato-cpu');
    const model = new CharacterModel(recurrent());
    const short = await countKernels(() => trainingStep(model, 5));
    const long = await countKernels(() => trainingStep(model, 50));
    expect(long.names).toEqual(short.names);
    expect(long.total).toBeLessThan(200);
    model.dispose();
  });

  it('launches more on an engine without kernels of its own: the counting counts', async () => {
    const model = new CharacterModel(recurrent());
    const short = await countKernels(() => trainingStep(model, 5));
    const long = await countKernels(() => trainingStep(model, 50));
    expect(long.total).toBeGreaterThan(short.total + 45);
    model.dispose();
  });
});
