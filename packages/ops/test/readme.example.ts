import '@tensorflow/tfjs'; // brings the gradients; '@ostinato/backend-cpu' does too, and has a kernel for every op
import { Rng } from '@ostinato/core';
import { embeddingLookup, lstmSequence, softmaxCrossEntropy } from '@ostinato/ops';
import * as tf from '@tensorflow/tfjs-core';

const rng = new Rng(1);
const table = rng.split('table').normal([50, 8]); // 50 tokens
const inputWeight = rng.split('input').normal([8, 4 * 16], 0, 0.2); // gates i, f, g, o side by side
const recurrentWeight = rng.split('recurrent').normal([16, 4 * 16], 0, 0.2);
const outputWeight = rng.split('output').normal([16, 50], 0, 0.2);

// Two sequences of tokens, of 4 and 2 steps; −1 says that a step has no label.
const ids = tf.tensor2d([3, 1, 4, 1, 5, 9, 0, 0], [2, 4], 'int32');
const labels = tf.tensor2d([1, 4, 1, 5, 9, 2, -1, -1], [2, 4], 'int32');
const lengths = tf.tensor1d([4, 2], 'int32');

const loss = (weight: tf.Tensor): tf.Tensor => {
  const input = embeddingLookup({ table, ids }); // [2, 4, 8]
  const { output } = lstmSequence({ input, inputWeight, recurrentWeight: weight, lengths }); // [2, 4, 16]
  const logits = tf.reshape(tf.matMul(tf.reshape(output, [8, 16]), outputWeight as tf.Tensor2D), [2, 4, 50]);
  return softmaxCrossEntropy({ logits, labels }, { ignoreIndex: -1, labelSmoothing: 0.1 });
};

export const value: number = tf.tidy(() => loss(recurrentWeight)).dataSync()[0]!; // about ln 50 = 3.9
export const gradient: tf.Tensor = tf.grad(loss)(recurrentWeight); // [16, 64]
