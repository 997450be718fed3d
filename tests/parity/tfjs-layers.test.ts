// Models of tfjs-layers train on our engine as on the stock one: the same losses in every epoch, the same predictions.
import * as tf from '@tensorflow/tfjs';
import '@ostinato/backend-cpu';
import { expect, it } from 'vitest';

/** Values in −1 … 1, the same in every run. */
function numbers(seed: number, shape: number[]): tf.Tensor {
  let state = seed;
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
  return tf.tensor(Float32Array.from({ length: tf.util.sizeFromShape(shape) }, next), shape);
}

interface Network {
  model(): tf.LayersModel;
  inputs(): tf.Tensor;
  readonly classes: number;
}

/** Tokens 0 … 19. */
const tokens = (): tf.Tensor => tf.tidy(() => tf.floor(tf.mul(tf.add(numbers(1, [48, 9]), 1), 9.99)));
const recurrent = (layer: tf.layers.Layer): tf.LayersModel =>
  tf.sequential({
    layers: [
      tf.layers.embedding({ inputDim: 20, outputDim: 8, inputLength: 9, maskZero: true }),
      layer,
      tf.layers.dense({ units: 3, activation: 'softmax' }),
    ],
  });

const networks: Record<string, Network> = {
  dense: {
    model: () =>
      tf.sequential({
        layers: [
          tf.layers.dense({ units: 17, activation: 'relu', inputShape: [11] }),
          tf.layers.batchNormalization(),
          tf.layers.dense({ units: 13, activation: 'tanh' }),
          tf.layers.layerNormalization(),
          tf.layers.dense({ units: 4, activation: 'softmax' }),
        ],
      }),
    inputs: () => numbers(1, [48, 11]),
    classes: 4,
  },
  convolutional: {
    model: () =>
      tf.sequential({
        layers: [
          tf.layers.conv2d({ filters: 6, kernelSize: 3, padding: 'same', activation: 'relu', inputShape: [10, 9, 2] }),
          tf.layers.batchNormalization(),
          tf.layers.maxPooling2d({ poolSize: 2 }),
          tf.layers.conv2d({ filters: 5, kernelSize: [2, 3], strides: 2, activation: 'elu' }),
          tf.layers.depthwiseConv2d({ kernelSize: 2, padding: 'same' }),
          tf.layers.averagePooling2d({ poolSize: 2, padding: 'same' }),
          tf.layers.flatten(),
          tf.layers.dense({ units: 3, activation: 'softmax' }),
        ],
      }),
    inputs: () => numbers(1, [48, 10, 9, 2]),
    classes: 3,
  },
  'dilated and separable convolution': {
    model: () =>
      tf.sequential({
        layers: [
          // Frozen: TensorFlow.js has no gradient of a dilated convolution.
          tf.layers.conv2d({
            filters: 4,
            kernelSize: 2,
            dilationRate: 2,
            activation: 'tanh',
            trainable: false,
            inputShape: [8, 7, 2],
          }),
          tf.layers.separableConv2d({ filters: 5, kernelSize: 3, padding: 'same', activation: 'tanh' }),
          tf.layers.globalAveragePooling2d({}),
          tf.layers.dense({ units: 3, activation: 'softmax' }),
        ],
      }),
    inputs: () => numbers(1, [48, 8, 7, 2]),
    classes: 3,
  },
  'convolution over time': {
    model: () =>
      tf.sequential({
        layers: [
          tf.layers.embedding({ inputDim: 20, outputDim: 8, inputLength: 9 }),
          tf.layers.conv1d({ filters: 6, kernelSize: 3, padding: 'same', activation: 'tanh' }),
          tf.layers.batchNormalization(),
          tf.layers.globalMaxPooling1d(),
          tf.layers.dense({ units: 3, activation: 'softmax' }),
        ],
      }),
    inputs: tokens,
    classes: 3,
  },
  LSTM: { model: () => recurrent(tf.layers.lstm({ units: 12 })), inputs: tokens, classes: 3 },
  GRU: {
    model: () => recurrent(tf.layers.bidirectional({ layer: tf.layers.gru({ units: 7 }) as tf.RNN })),
    inputs: tokens,
    classes: 3,
  },
};

/** Initial weights, then the losses of five epochs and predictions. */
async function train(backend: string, { model, inputs, classes }: Network) {
  await tf.setBackend(backend);
  const network = model();
  // Initializers draw from Math.random: both engines start from the same numbers instead.
  const initial = network.weights.map(({ shape, originalName }, i) =>
    originalName.includes('variance')
      ? tf.ones(shape as number[])
      : tf.mul(numbers(100 + i, shape as number[]), i % 2 ? 0.1 : 0.4),
  );
  network.setWeights(initial);
  network.compile({ optimizer: tf.train.adam(0.02), loss: 'categoricalCrossentropy' });
  const x = inputs();
  const labels = tf.tidy(() =>
    tf.oneHot(tf.tensor1d(Int32Array.from({ length: 48 }, (_, i) => (i * i) % classes)), classes),
  );
  const { history } = await network.fit(x, labels, { epochs: 5, batchSize: 16, shuffle: false, verbose: 0 });
  const predictions = [...(network.predict(x) as tf.Tensor).dataSync()];
  return { losses: history['loss'] as number[], predictions };
}

it.each(Object.keys(networks))('%s', { timeout: 120_000 }, async name => {
  const stock = await train('cpu', networks[name]!);
  const ours = await train('ostinato-cpu', networks[name]!);
  expect(stock.losses.at(-1)).toBeLessThan(stock.losses[0]!);
  for (const what of ['losses', 'predictions'] as const) {
    const worst = Math.max(
      ...ours[what].map((value, i) => Math.abs(value - stock[what][i]!) / Math.max(1, Math.abs(stock[what][i]!))),
    );
    expect(worst, what).toBeLessThan(1e-5);
  }
});
