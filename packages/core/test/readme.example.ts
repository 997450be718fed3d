import '@tensorflow/tfjs'; // brings the gradients; '@ostinato/backend-cpu' does too, and is faster
import { Linear, Module, parameters, Rng, summary, valueAndGrad } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';

/** y = W₂ tanh(W₁ x + b₁) + b₂ */
class Perceptron extends Module {
  readonly hidden: Linear;
  readonly output: Linear;

  constructor(rng: Rng) {
    super();
    this.hidden = new Linear({ inputSize: 2, outputSize: 8, rng: rng.split('hidden') });
    this.output = new Linear({ inputSize: 8, outputSize: 1, rng: rng.split('output') });
  }

  call(input: tf.Tensor): tf.Tensor {
    return tf.tidy(() => this.output.call(tf.tanh(this.hidden.call(input))));
  }
}

const model = new Perceptron(new Rng(1));
export const table = String(summary(model)); // hidden.weight, hidden.bias, output.weight, output.bias: 33 values

// Exclusive or.
const x = tf.tensor2d([0, 0, 0, 1, 1, 0, 1, 1], [4, 2]);
const y = tf.tensor2d([0, 1, 1, 0], [4, 1]);

export let loss = Infinity; // below 0.01 in the end
for (let step = 0; step < 500; step++) {
  const { value, gradients } = valueAndGrad(parameters(model), () => ({
    loss: tf.mean(tf.square(tf.sub(model.call(x), y))),
  }));
  tf.tidy(() => {
    for (const [path, variable] of parameters(model))
      variable.assign(tf.sub(variable, tf.mul(gradients.get(path)!, 0.5)));
  });
  loss = value.dataSync()[0]!;
  tf.dispose([value, ...gradients.values()]);
}
