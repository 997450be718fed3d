import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Linear, parameters } from '@ostinato/core';
import { adamw, chain, clipByGlobalNorm, cosine, fit, mse, Optimizer, warmup } from '@ostinato/training';
import { loadCheckpoint, saveCheckpoint } from '@ostinato/training/node';
import * as tf from '@tensorflow/tfjs';

const model = new Linear({ inputSize: 2, outputSize: 1 });
const learningRate = warmup(10, cosine({ rate: 0.05, steps: 190 }));
const optimizer = new Optimizer(chain(clipByGlobalNorm(1), adamw({ learningRate })), parameters(model));

let position = 0;
const batches = {
  next: () => ({ done: false, value: [position++ / 200, Math.sin(position)] }),
  state: () => position,
  restore: (state: number) => {
    position = state;
  },
};

const path = join(tmpdir(), 'ostinato-example.safetensors');
const run = fit({
  optimizer,
  batches,
  steps: 200,
  seed: 1,
  logEvery: 100,
  loss: ([a = 0, b = 0]) => {
    const prediction = model.call(tf.tensor2d([[a, b]]));
    return { loss: mse({ prediction, target: tf.tensor2d([[2 * a - b]]) }) };
  },
  checkpoint: { every: 100, save: checkpoint => saveCheckpoint(path, checkpoint) },
});
const losses: number[] = [];
for await (const event of run) {
  if (event.event === 'step') losses.push(event.loss);
  if (event.event === 'stopped' && event.reason !== 'steps') throw new Error(event.reason);
}

// Later: fit({ …, steps: 400, resume }) goes on from here, to the bit.
const resume = await loadCheckpoint(path);

export { losses, resume };
