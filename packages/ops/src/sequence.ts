import { ArgumentError, checkShape, ShapeError } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';

/** Which direction a sequence op reads, and what it returns. */
export interface SequenceOptions {
  /** Read each row from its last valid step to its first; the output stays aligned with the input. Default false. */
  readonly reverse?: boolean | undefined;
}

/** The sizes B, T and D of an input [B, T, D] that has at least one row and one step. */
export function checkInput(where: string, input: tf.Tensor, inputSize: number): { batch: number; time: number } {
  checkShape(where, 'input', input, { batch: null, time: null, inputSize }, 'float32');
  const [batch, time] = input.shape as [number, number, number];
  if (batch < 1 || time < 1) {
    throw new ShapeError({
      where,
      rule: 'input must have at least one row and one step',
      got: `[${input.shape.join(', ')}]`,
    });
  }
  return { batch, time };
}

/** Checks lengths: int32 [B], each in 0 … T. They are read back, which on a GPU waits for it. */
export function checkLengths(where: string, lengths: tf.Tensor | undefined, batch: number, time: number): void {
  if (!lengths) return;
  checkShape(where, 'lengths', lengths, { batch }, 'int32');
  const outside = lengths.dataSync().findIndex(length => length < 0 || length > time);
  if (outside >= 0) {
    throw new ArgumentError({
      where,
      rule: `every length must be in 0 … ${time}`,
      got: `${lengths.dataSync()[outside]} in row ${outside}`,
    });
  }
}

/** What a recurrence does in one step of the reference: gates of the input in, hidden state out. */
export type ReferenceStep<Carry extends readonly tf.Tensor[]> = (inputGates: tf.Tensor, carry: Carry) => Carry;

/**
 * The reference recurrence, in plain ops: runs `step` over time; where a row has ended it keeps its carry and outputs zero.
 *
 * @param inputGates x W + b for all steps, float32 [B, T, gates·H]
 * @param carry the state before the first step; its first tensor is the output of a step
 * @returns output float32 [B, T, H] and the carry after the last step
 */
export function referenceRecurrence<Carry extends readonly tf.Tensor[]>(
  inputGates: tf.Tensor,
  carry: Carry,
  step: ReferenceStep<Carry>,
  { reverse = false, lengths }: { reverse?: boolean | undefined; lengths?: tf.Tensor | undefined },
): { output: tf.Tensor; carry: Carry } {
  const steps = timeSteps(inputGates); // T × [B, gates·H]
  const outputs: tf.Tensor[] = new Array(steps.length);
  let current = carry;
  for (let i = 0; i < steps.length; i++) {
    const t = reverse ? steps.length - 1 - i : i;
    const next = step(steps[t]!, current);
    if (lengths) {
      const active = tf.cast(tf.reshape(tf.greater(lengths, tf.scalar(t, 'int32')), [-1, 1]), 'float32'); // [B, 1]
      const previous = current;
      current = next.map((tensor, j) =>
        tf.add(tf.mul(tensor, active), tf.mul(previous[j]!, tf.sub(1, active))),
      ) as unknown as Carry;
      outputs[t] = tf.mul(next[0]!, active);
    } else {
      current = next;
      outputs[t] = next[0]!;
    }
  }
  return { output: tf.stack(outputs, 1), carry: current };
}

/** x W + b for float32 x [B, T, D]: float32 [B, T, gates·H], as one product. */
export function inputGatesOf(input: tf.Tensor, weight: tf.Tensor, bias: tf.Tensor | undefined): tf.Tensor {
  const [batch, time, inputSize] = input.shape as [number, number, number];
  const product = tf.matMul(tf.reshape(input, [batch * time, inputSize]), weight as tf.Tensor2D);
  return tf.reshape(bias ? tf.add(product, bias) : product, [batch, time, weight.shape[1]!]);
}

/** The steps of x [B, T, D], T tensors [B, D]. The gradient of `tf.unstack` fails when there is one step (tfjs 4.22). */
function timeSteps(x: tf.Tensor): tf.Tensor[] {
  const [batch, time, width] = x.shape as [number, number, number];
  return time === 1 ? [tf.reshape(x, [batch, width])] : tf.unstack(x, 1);
}
