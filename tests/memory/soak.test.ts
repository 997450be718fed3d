// Thousands of steps of all kinds and sizes, one after the other: memory stays what it was, no thread is lost, nothing becomes NaN.
// OSTINATO_SOAK says how many, default 400; a step is drawn from a seed, so that a failure comes again.
import { OstinatoCpuBackend } from '@ostinato/backend-cpu';
import { layerNorm, parameters, Rng, valueAndGrad } from '@ostinato/core';
import { gelu, scaledDotProductAttention, softmaxCrossEntropy } from '@ostinato/ops';
import { LanguageModel } from '@ostinato/tasks/language-modeling';
import { adam, Optimizer } from '@ostinato/training';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, expect, it } from 'vitest';

const steps = Number(process.env['OSTINATO_SOAK'] ?? 400);
const backend = new OstinatoCpuBackend({ threads: 2 });
const vocabulary = 31;

beforeAll(async () => {
  tf.registerBackend('soak', () => backend);
  tf.copyRegisteredKernels('ostinato-cpu', 'soak');
  await tf.setBackend('soak');
  while (backend.team.threadsFor(1e9) < 2) await new Promise(resolve => setTimeout(resolve, 5));
});
afterAll(() => tf.removeBackend('soak'));

const ids = (rng: Rng, shape: number[]): tf.Tensor => {
  const size = shape.reduce((product, dimension) => product * dimension, 1);
  return tf.tensor(
    Int32Array.from({ length: size }, () => rng.integer(vocabulary)),
    shape,
    'int32',
  );
};

/** A language model and its optimizer; each call is a training step of its own batch and length. */
function recurrent(architecture: 'lstm' | 'gru' | 'rnn'): { step(rng: Rng): number; dispose(): void } {
  const model = new LanguageModel({
    vocabularySize: vocabulary,
    embeddingSize: 24,
    architecture,
    hiddenSize: 96,
    dropout: 0.1,
  });
  const optimizer = new Optimizer(adam({ learningRate: 1e-4 }), parameters(model));
  return {
    step(rng) {
      const shape = [1 + rng.integer(12), 1 + rng.integer(30)];
      const [inputs, labels] = [ids(rng, shape), ids(rng, shape)];
      const { value, gradients } = valueAndGrad(optimizer.parameters, () => {
        const { logits } = model.call(inputs, { training: true, rng });
        const rows = tf.reshape(logits, [-1, vocabulary]);
        return { loss: softmaxCrossEntropy({ logits: rows, labels: tf.reshape(labels, [-1]) }) };
      });
      optimizer.apply(gradients);
      const loss = value.dataSync()[0]!;
      tf.dispose([inputs, labels, value, ...gradients.values()]);
      return loss;
    },
    dispose() {
      optimizer.dispose();
      model.dispose();
    },
  };
}

/** The sum of all gradients of `loss` in the inputs. */
const gradientsOf = (inputs: tf.Tensor[], loss: (...inputs: tf.Tensor[]) => tf.Tensor): number =>
  tf.tidy(() => {
    const sums = tf
      .grads((...all: tf.Tensor[]) => tf.sum(loss(...all)))(inputs)
      .map(gradient => tf.sum(gradient));
    return tf.addN(sums).dataSync()[0]!;
  });

const others: Record<string, (rng: Rng) => number> = {
  product: rng =>
    tf.tidy(() => {
      const [m, k, n] = [1, 2, 3].map(() => 1 + rng.integer(200)) as [number, number, number];
      return gradientsOf([rng.split('a').normal([2, m, k]), rng.split('b').normal([2, k, n])], (a, b) =>
        gelu(tf.matMul(a!, b!)),
      );
    }),
  attention: rng =>
    tf.tidy(() => {
      const [batch, time] = [1 + rng.integer(4), 1 + rng.integer(90)];
      const factors = ['query', 'key', 'value'].map(name => rng.split(name).normal([batch, 4, time, 16]));
      return gradientsOf(factors, (query, key, value) =>
        scaledDotProductAttention({ query: query!, key: key!, value: value! }, { causal: true }),
      );
    }),
  convolution: rng =>
    tf.tidy(() => {
      const side = 3 + rng.integer(14);
      const image = rng.split('image').normal([2, side, side, 3]) as tf.Tensor4D;
      const filter = rng.split('filter').normal([3, 3, 3, 5]) as tf.Tensor4D;
      return gradientsOf([image, filter], (x, weights) =>
        tf.maxPool(tf.relu(tf.conv2d(x as tf.Tensor4D, weights as tf.Tensor4D, 1, 'same')), 2, 2, 'same'),
      );
    }),
  elementwise: rng =>
    tf.tidy(() => {
      const shape = [1 + rng.integer(300), 1 + rng.integer(700)];
      return gradientsOf([rng.split('x').normal(shape), rng.split('row').normal([shape[1]!])], (x, row) =>
        tf.mul(tf.tanh(tf.add(x!, row!)), layerNorm({ input: x! })),
      );
    }),
  slices: rng =>
    tf.tidy(() => {
      const x = rng.normal([3 + rng.integer(50), 64]);
      const parts = tf.split(x, 4, 1);
      return tf.sum(tf.concat([...parts].reverse(), 1)).dataSync()[0]!;
    }),
};

it(`keeps its memory and its threads over ${steps} mixed steps`, { timeout: 60_000 + 100 * steps }, async () => {
  const models = (['lstm', 'gru', 'rnn'] as const).map(recurrent);
  const kinds: ((rng: Rng) => number)[] = [...models.map(({ step }) => step), ...Object.values(others)];
  const names = ['lstm', 'gru', 'rnn', ...Object.keys(others)];
  for (const model of models) model.step(new Rng(1)); // the optimizer's state is there after the first step
  const alive = (): object => {
    const { numTensors, numBytes, allocatedBytes } = tf.memory() as tf.MemoryInfo & { allocatedBytes: number };
    return { numTensors, numBytes, allocatedBytes };
  };
  const reserved = (): number => (tf.memory() as tf.MemoryInfo & { reservedBytes: number }).reservedBytes;
  const before = alive();
  let warm = 0;
  const jobs = backend.team.threadsFor(1e9);
  for (let step = 0; step < steps; step++) {
    const rng = new Rng(step);
    const kind = rng.integer(kinds.length);
    const result = kinds[kind]!(rng.split('data'));
    expect(Number.isFinite(result), `${names[kind]} of step ${step}: ${result}`).toBe(true);
    expect(alive(), `after ${names[kind]} of step ${step}`).toEqual(before);
    if (step % 50 === 0) await new Promise(resolve => setImmediate(resolve)); // lost threads would be noticed here
    if (step === Math.floor(steps / 4)) warm = reserved();
  }
  expect(backend.team.threadsFor(1e9)).toBe(jobs);
  expect(jobs).toBe(2);
  // Room for the largest step came early; what fragmentation adds is bounded.
  expect(reserved()).toBeLessThanOrEqual(1.25 * warm);
  for (const model of models) model.dispose();
});
