import { type CallOptions, Linear, Module, parameters, Rng } from '@ostinato/core';
import { adam, mse, Optimizer, truncatedBptt } from '@ostinato/training';
import * as tf from '@tensorflow/tfjs';

/** hₜ = tanh([xₜ, hₜ₋₁] W + b). The layers of `@ostinato/recurrent` have the same `call`. */
class Elman extends Module {
  readonly recurrence = new Linear({ inputSize: 9, outputSize: 8 });
  readonly readout = new Linear({ inputSize: 8, outputSize: 1 });

  call(input: tf.Tensor, { state }: CallOptions & { state?: tf.Tensor | undefined }) {
    let hidden = state ?? tf.zeros([input.shape[0]!, 8]);
    const outputs = tf.split(input, input.shape[1]!, 1).map(x => {
      hidden = tf.tanh(this.recurrence.call(tf.concat([tf.squeeze(x, [1]), hidden], 1)));
      return this.readout.call(hidden);
    });
    return { output: tf.stack(outputs, 1), state: hidden };
  }
}

const model = new Elman();
const optimizer = new Optimizer(adam({ learningRate: 0.01 }), parameters(model));
const input = new Rng(1).normal([4, 100, 1]); // [batch, time, 1]
const target = tf.tidy(() => tf.mul(0.5, tf.cumsum(tf.mul(input, 0.1), 1)));

export const losses: number[] = [];
// Every 5 steps, the loss of the newest 5 goes back through the newest 20.
for (const { value, gradients } of truncatedBptt({
  model,
  parameters: parameters(model),
  input,
  k1: 5,
  k2: 20,
  loss: (output, { lossStart, end }) =>
    mse({ prediction: output, target: tf.slice(target, [0, lossStart, 0], [4, end - lossStart, 1]) }),
})) {
  optimizer.apply(gradients);
  losses.push(value.dataSync()[0]!);
  tf.dispose([value, ...gradients.values()]);
}
