import '@tensorflow/tfjs-backend-wasm';
import { kernelInfo } from '@ostinato/backend-cpu';
import { Rng } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';
import { besidePytorch, pytorch } from './peers/pytorch.ts';
import { type Benchmark, type Figures, fastest } from './report.ts';

const sizes = { batch: 32, side: 64, stem: 32, wide: 64 } as const;

/** [h, w, in, out] of each convolution, with its stride; all pad so that only the stride makes images smaller. */
const convolutions = [
  { shape: [3, 3, 3, sizes.stem], stride: 1 }, // stem
  { shape: [3, 3, sizes.stem, sizes.stem], stride: 1 }, // block with a skip
  { shape: [3, 3, sizes.stem, sizes.stem], stride: 1 },
  { shape: [3, 3, sizes.stem, sizes.wide], stride: 2 },
] as const;

interface Weights {
  readonly filters: tf.Tensor4D[];
  readonly gains: tf.Tensor1D[];
  readonly shifts: tf.Tensor1D[];
}

/** Filters by He et al., gains 1, shifts 0. */
function initialWeights(): Weights {
  const filters = convolutions.map(({ shape: [h, w, inputs, outputs] }, i) =>
    tf.tidy(() => tf.mul(new Rng(i + 1).normal([h, w, inputs, outputs]), Math.sqrt(2 / (h * w * inputs)))),
  );
  const channels = convolutions.map(({ shape }) => shape[3]);
  return {
    filters: filters as tf.Tensor4D[],
    gains: channels.map(count => tf.ones([count]) as tf.Tensor1D),
    shifts: channels.map(count => tf.zeros([count]) as tf.Tensor1D),
  };
}

/** Batch normalisation by the moments of the batch, as training has it. */
function normalise(x: tf.Tensor4D, gain: tf.Tensor1D, shift: tf.Tensor1D): tf.Tensor4D {
  const { mean, variance } = tf.moments(x, [0, 1, 2]);
  return tf.batchNorm(x, mean as tf.Tensor1D, variance as tf.Tensor1D, shift, gain, 1e-5) as tf.Tensor4D;
}

/** Stem, residual block, a strided convolution, the mean over the picture: [N, 64]. */
function network(images: tf.Tensor4D, { filters, gains, shifts }: Weights): tf.Tensor2D {
  const layer = (x: tf.Tensor4D, i: number): tf.Tensor4D =>
    normalise(tf.conv2d(x, filters[i]!, convolutions[i]!.stride, 'same'), gains[i]!, shifts[i]!);
  const stem = tf.relu(layer(images, 0));
  const inner = tf.relu(layer(stem, 1));
  const block = tf.relu(tf.add(stem, layer(inner, 2))) as tf.Tensor4D;
  return tf.mean(tf.relu(layer(block, 3)), [1, 2]);
}

/** Milliseconds of a forward pass, and of one with all gradients. */
async function measure(
  backend: string,
  repetitions: number,
  warmUp = 1,
): Promise<{ forward: number; training: number }> {
  await tf.setBackend(backend);
  const weights = initialWeights();
  const images = new Rng(9).normal([sizes.batch, sizes.side, sizes.side, 3]) as tf.Tensor4D;
  const forward = await fastest(repetitions, () => tf.tidy(() => network(images, weights).dataSync()), warmUp);
  const all = [...weights.filters, ...weights.gains, ...weights.shifts];
  const loss = (...values: tf.Tensor[]): tf.Scalar => {
    const [filters, gains, shifts] = [0, 4, 8].map(from => values.slice(from, from + 4));
    return tf.mean(tf.square(network(images, { filters, gains, shifts } as unknown as Weights))) as tf.Scalar;
  };
  const gradients = tf.valueAndGrads(loss);
  const step = (): void =>
    tf.tidy(() => {
      const { value, grads } = gradients(all);
      value.dataSync();
      tf.dispose(grads);
    });
  const training = await fastest(repetitions, step, warmUp);
  tf.dispose([images, ...all]);
  return { forward, training };
}

/**
 * A small residual block of a convolutional network over 32 pictures of 64×64×3: 3→32, two 32→32 with a skip, 32→64 with stride 2; batch
 * normalisation and ReLU after each. Forward, and forward with all gradients, against stock wasm (forward: it has no gradient of a filter),
 * the stock JavaScript backend, and PyTorch in its better memory format.
 */
export const conv: Benchmark = async (report, { quick }) => {
  await tf.setBackend('ostinato-cpu');
  const info = kernelInfo();
  const beside = await besidePytorch(
    quick ? 1 : 3,
    async () => {
      const { forward, training } = await measure('ostinato-cpu', quick ? 3 : 10);
      return [forward, training];
    },
    async () => {
      const peer = await pytorch('conv', info.threads, [sizes]);
      return 'skipped' in peer ? peer : { milliseconds: peer.milliseconds[0] as unknown as number[] };
    },
  );
  const [forward, training] = beside.ours as [number, number];
  await tf.setBackend('wasm');
  const weights = initialWeights();
  const images = new Rng(9).normal([sizes.batch, sizes.side, sizes.side, 3]) as tf.Tensor4D;
  const wasm = await fastest(2, () => tf.tidy(() => network(images, weights).dataSync()), 1);
  const stock = quick ? null : await measure('cpu', 1, 0); // minutes: once has to do
  const [torchForward, torchTraining] = beside.theirs ?? [];
  report(`forward: ${forward.toFixed(1)} ms (stock wasm ${wasm.toFixed(0)}); ${beside.words[0]}`);
  report(
    `forward and gradients: ${training.toFixed(1)} ms (stock cpu ${stock?.training.toFixed(0) ?? '–'}); ${beside.words[1]}`,
  );
  const figures: Figures = {
    kernels: info as unknown as Record<string, unknown>,
    forwardMilliseconds: forward,
    trainingMilliseconds: training,
    stockWasmForwardMilliseconds: wasm,
    stockCpuForwardMilliseconds: stock?.forward ?? null,
    stockCpuTrainingMilliseconds: stock?.training ?? null,
    pytorchForwardMilliseconds: torchForward ?? null,
    pytorchTrainingMilliseconds: torchTraining ?? null,
    forwardOfPytorchTime: torchForward ? forward / torchForward : null,
    trainingOfPytorchTime: torchTraining ? training / torchTraining : null,
  };
  return figures;
};
