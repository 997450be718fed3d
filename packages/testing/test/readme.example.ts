import '@tensorflow/tfjs'; // brings the gradients; '@ostinato/backend-cpu' does too
import { Rng } from '@ostinato/core';
import { addingProblem, allClose, countKernels, expectNoLeak, gradCheck } from '@ostinato/testing';
import * as tf from '@tensorflow/tfjs-core';

/** x · sigmoid(x) */
const swish = (x: tf.Tensor): tf.Tensor => tf.tidy(() => tf.mul(x, tf.sigmoid(x)));
const x = new Rng(1).normal([4, 3]);

// Throws when a tensor is left behind, or a gradient does not agree with finite differences.
expectNoLeak(() => swish(x));
export const { error, checked } = gradCheck(input => swish(input!), [x]);

// Swish tends to x, and to 0.
export const { close } = allClose(swish(tf.tensor1d([40, -40])), [40, 0]);

export const { names } = await countKernels(() => swish(x)); // 'Sigmoid', 'Multiply'

// A batch of a task that needs a long memory.
export const { inputs, targets, shape } = addingProblem(new Rng(2), { batch: 16, time: 100 });
