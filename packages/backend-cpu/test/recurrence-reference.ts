// The three recurrences in plain TensorFlow.js ops, one row and one step at a time, as the op contract writes them. Slow and
// obvious; the gradient is TensorFlow.js's own.
import * as tf from '@tensorflow/tfjs-core';

/** State and operands by the contract's names. */
export type Operands = Record<string, tf.Tensor>;

/** One step of one row: x [1, D], state ([1, H] each) → new state. */
type Step = (x: tf.Tensor2D, state: tf.Tensor2D[]) => tf.Tensor2D[];

const split = (z: tf.Tensor2D, parts: number) => tf.split(z, parts, 1) as tf.Tensor2D[];
const plus = (z: tf.Tensor2D, bias: tf.Tensor) => (bias.size === 0 ? z : (tf.add(z, bias) as tf.Tensor2D));

export function rnnStep(operands: Operands, activation: 'tanh' | 'relu'): Step {
  const { inputWeight, recurrentWeight, bias } = operands as Record<string, tf.Tensor2D>;
  return (x, [h]) => {
    const z = plus(tf.add(tf.matMul(x, inputWeight!), tf.matMul(h!, recurrentWeight!)), bias!);
    return [activation === 'tanh' ? tf.tanh(z) : tf.relu(z)];
  };
}

export function lstmStep(operands: Operands): Step {
  const { inputWeight, recurrentWeight, bias, projection } = operands as Record<string, tf.Tensor2D>;
  return (x, [h, c]) => {
    const z = plus(tf.add(tf.matMul(x, inputWeight!), tf.matMul(h!, recurrentWeight!)), bias!);
    const [i, f, g, o] = split(z, 4);
    const cell = tf.add(tf.mul(tf.sigmoid(f!), c!), tf.mul(tf.sigmoid(i!), tf.tanh(g!))) as tf.Tensor2D;
    const raw = tf.mul(tf.sigmoid(o!), tf.tanh(cell)) as tf.Tensor2D;
    return [projection!.size === 0 ? raw : tf.matMul(raw, projection!), cell];
  };
}

export function gruStep(operands: Operands, resetAfter: boolean): Step {
  const { inputWeight, recurrentWeight, bias, recurrentBias } = operands as Record<string, tf.Tensor2D>;
  return (x, [h]) => {
    const [xr, xz, xn] = split(plus(tf.matMul(x, inputWeight!), bias!), 3);
    if (resetAfter) {
      const [hr, hz, hn] = split(plus(tf.matMul(h!, recurrentWeight!), recurrentBias!), 3);
      const r = tf.sigmoid(tf.add(xr!, hr!));
      const z = tf.sigmoid(tf.add(xz!, hz!));
      const n = tf.tanh(tf.add(xn!, tf.mul(r, hn!)));
      return [tf.add(tf.mul(tf.sub(1, z), n), tf.mul(z, h!)) as tf.Tensor2D];
    }
    const [ur, uz, un] = split(recurrentWeight!, 3);
    const r = tf.sigmoid(tf.add(xr!, tf.matMul(h!, ur!)));
    const z = tf.sigmoid(tf.add(xz!, tf.matMul(h!, uz!)));
    const n = tf.tanh(tf.add(xn!, tf.matMul(tf.mul(r, h!) as tf.Tensor2D, un!)));
    return [tf.add(tf.mul(tf.sub(1, z), n), tf.mul(z, h!)) as tf.Tensor2D];
  };
}

/** The whole batch: output [B, T, P] and the final states. */
export function unroll(
  input: tf.Tensor3D,
  initial: tf.Tensor2D[],
  step: Step,
  { lengths, reverse }: { lengths: number[]; reverse: boolean },
): tf.Tensor[] {
  const [, time, inputs] = input.shape;
  const width = initial[0]!.shape[1];
  const rows = lengths.map((length, b) => {
    let state = initial.map(tensor => tf.slice(tensor, [b, 0], [1, tensor.shape[1]]));
    const outputs: tf.Tensor2D[] = Array.from({ length: time }, () => tf.zeros([1, width]));
    for (let s = 0; s < length; s++) {
      const t = reverse ? length - 1 - s : s;
      state = step(tf.reshape(tf.slice(input, [b, t, 0], [1, 1, inputs]), [1, inputs]), state);
      outputs[t] = state[0]!;
    }
    return { output: tf.reshape(tf.concat(outputs, 0), [1, time, width]), state };
  });
  const output = tf.concat(rows.map(row => row.output));
  return [output, ...initial.map((_, index) => tf.concat(rows.map(row => row.state[index]!)))];
}
