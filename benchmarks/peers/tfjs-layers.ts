import * as tf from '@tensorflow/tfjs';
import { fastest } from '../report.ts';

/** Sizes of a character language model with one LSTM. */
export interface CharRnnSizes {
  readonly vocabulary: number;
  readonly embedding: number;
  readonly hidden: number;
  readonly time: number;
  readonly batch: number;
}

/**
 * Milliseconds of one training step of tfjs-layers (forward, backward, Adam) on the active backend.
 *
 * Its embedding layer cannot train on the stock wasm backend (`UnsortedSegmentSum` is missing there), so a one-hot input goes
 * through a dense layer, which is the same mapping. Initial weights do not matter for the time; the orthogonal default would
 * take minutes.
 */
async function tfjsLayersStep(
  { vocabulary, embedding, hidden, time, batch }: CharRnnSizes,
  repetitions: number,
): Promise<number> {
  const model = tf.sequential({
    layers: [
      tf.layers.dense({ units: embedding, useBias: false, inputShape: [time, vocabulary] }),
      tf.layers.lstm({ units: hidden, returnSequences: true, recurrentInitializer: 'glorotUniform' }),
      tf.layers.dense({ units: vocabulary, activation: 'softmax' }),
    ],
  });
  model.compile({ optimizer: tf.train.adam(5e-3), loss: 'categoricalCrossentropy' });
  const tokens = (): tf.Tensor3D =>
    tf.tidy(() =>
      tf.reshape(tf.oneHot(tf.randomUniform([batch * time], 0, vocabulary, 'int32', 1), vocabulary), [
        batch,
        time,
        vocabulary,
      ]),
    ) as tf.Tensor3D;
  const inputs = tokens();
  const targets = tokens();
  try {
    return await fastest(repetitions, () => model.trainOnBatch(inputs, targets));
  } finally {
    tf.dispose([inputs, targets]);
    model.dispose();
  }
}

/**
 * Milliseconds of a step over `sizes.time` steps from two shorter ones: the time is linear in T (work per time step, plus what
 * a step costs whatever its length), and tfjs-layers runs out of the wasm backend's memory at T = 100.
 */
export async function tfjsLayersStepByExtrapolation(
  sizes: CharRnnSizes,
  shorter: readonly [number, number],
  repetitions: number,
): Promise<number> {
  const [short, long] = shorter;
  const a = await tfjsLayersStep({ ...sizes, time: short }, repetitions);
  const b = await tfjsLayersStep({ ...sizes, time: long }, repetitions);
  if (b <= a)
    throw new Error(`the machine is too busy: ${short} steps took ${a} ms, ${long} took ${b} ms. Measure again.`);
  return b + ((b - a) / (long - short)) * (sizes.time - long);
}
