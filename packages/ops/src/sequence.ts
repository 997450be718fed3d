import { ArgumentError, checkChoice, checkShape, ShapeError, selectWhere } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';
import { valuesInMainMemory } from './engine.ts';

/** Which direction a sequence op reads, and what it returns. */
export interface SequenceOptions {
  /** Read each row from its last valid step to its first; the output stays aligned with the input. Default false. */
  readonly reverse?: boolean | undefined;
  /** `'last'`: only the last state, `output` is null and need not be kept. Default `'all'`. */
  readonly states?: 'all' | 'last' | undefined;
}

/** The option that asks for every state: `output` is a tensor. */
export interface AllStates {
  readonly states?: 'all' | undefined;
}

/** The option that asks for the last state only: `output` is null. */
export interface LastState {
  readonly states: 'last';
}

/** Sizes of a recurrence. */
export interface SequenceSizes {
  readonly batch: number;
  readonly time: number;
  readonly hiddenSize: number;
}

/**
 * Checks what all recurrences share, and gives their sizes.
 *
 * @param gates how many blocks of H columns `inputWeight` has
 */
export function checkSequence(
  where: string,
  { input, inputWeight, bias }: { input: tf.Tensor; inputWeight: tf.Tensor; bias?: tf.Tensor | undefined },
  gates: number,
  { states = 'all' }: SequenceOptions,
): SequenceSizes {
  checkChoice(where, 'states', states, ['all', 'last']);
  checkShape(where, 'inputWeight', inputWeight, { inputSize: null, gates: null }, 'float32');
  const [inputSize, columns] = inputWeight.shape as [number, number];
  if (columns % gates !== 0 || columns === 0) {
    const rule = `inputWeight must have ${gates} columns for each hidden unit`;
    throw new ShapeError({ where, rule, got: `[${inputWeight.shape.join(', ')}]` });
  }
  checkShape(where, 'input', input, { batch: null, time: null, inputSize }, 'float32');
  const [batch, time] = input.shape as [number, number, number];
  if (batch < 1 || time < 1) {
    const rule = 'input must have at least one row and one step';
    throw new ShapeError({ where, rule, got: `[${input.shape.join(', ')}]` });
  }
  if (bias) checkShape(where, 'bias', bias, { gates: columns }, 'float32');
  return { batch, time, hiddenSize: columns / gates };
}

/** `tf.tidy` for results that hold `null`, which its types leave out. */
export const tidy = tf.tidy as <Result>(body: () => Result) => Result;

/** Checks lengths: int32 [B], each in 0 … T. On a GPU their values are trusted: reading them would wait for it. */
export function checkLengths(
  where: string,
  lengths: tf.Tensor | undefined,
  { batch, time }: Pick<SequenceSizes, 'batch' | 'time'>,
): void {
  if (!lengths) return;
  checkShape(where, 'lengths', lengths, { batch }, 'int32');
  if (!valuesInMainMemory()) return;
  const values = lengths.dataSync();
  const row = values.findIndex(length => length < 0 || length > time);
  if (row >= 0) {
    throw new ArgumentError({
      where,
      rule: `every length must be in 0 … ${time}`,
      got: `${values[row]} in row ${row}`,
    });
  }
}

/** What a recurrence does in one step of the reference: gates of the input in, state out; the state's first tensor is hₜ. */
export type ReferenceStep<Carry extends readonly tf.Tensor[]> = (inputGates: tf.Tensor, carry: Carry) => Carry;

/** What `referenceRecurrence` runs over. */
export interface ReferenceSequence<Carry extends readonly tf.Tensor[]> {
  /** float32 [B, T, D] */
  readonly input: tf.Tensor;
  /** float32 [D, gates·H] */
  readonly inputWeight: tf.Tensor;
  readonly bias?: tf.Tensor | undefined;
  readonly lengths?: tf.Tensor | undefined;
  /** The state before the first step. */
  readonly carry: Carry;
}

/**
 * The reference recurrence, in plain ops: runs `step` over time; where a row has ended it keeps its carry and outputs zero. Reading
 * backwards, a row keeps its initial carry until its last valid step.
 *
 * @returns output float32 [B, T, H], or null with `states: 'last'`, and the carry after the last step
 */
export function referenceRecurrence<Carry extends readonly tf.Tensor[]>(
  { input, inputWeight, bias, lengths, carry }: ReferenceSequence<Carry>,
  step: ReferenceStep<Carry>,
  { reverse = false, states = 'all' }: SequenceOptions,
): { output: tf.Tensor | null; carry: Carry } {
  const time = input.shape[1]!;
  const valid = lengths && tf.less(tf.range(0, time, 1, 'int32'), tf.reshape(lengths, [-1, 1])); // [B, T]
  // Padding becomes zero first, so that a NaN in it stays there: NaN times a mask would still be NaN.
  const clean = valid ? selectWhere(tf.expandDims(valid, 2), input, tf.zerosLike(input)) : input;
  const gates = timeSteps(inputGates(clean, inputWeight, bias)); // T × [B, gates·H]
  const masks = valid && timeSteps(tf.expandDims(valid, 2)); // T × [B, 1]
  const outputs: tf.Tensor[] = new Array(time);
  let current = carry;
  for (let i = 0; i < time; i++) {
    const t = reverse ? time - 1 - i : i;
    const previous = current;
    const next = step(gates[t]!, previous);
    const mask = masks?.[t];
    current = mask ? (next.map((tensor, j) => selectWhere(mask, tensor, previous[j]!)) as unknown as Carry) : next;
    if (states === 'all') outputs[t] = mask ? selectWhere(mask, next[0]!, tf.zerosLike(next[0]!)) : next[0]!;
  }
  return { output: states === 'all' ? tf.stack(outputs, 1) : null, carry: current };
}

/** x W + b for float32 x [B, T, D]: float32 [B, T, gates·H], as one product. */
function inputGates(input: tf.Tensor, weight: tf.Tensor, bias: tf.Tensor | undefined): tf.Tensor {
  const [batch, time, inputSize] = input.shape as [number, number, number];
  const product = tf.matMul(tf.reshape(input, [batch * time, inputSize]), weight as tf.Tensor2D);
  return tf.reshape(bias ? tf.add(product, bias) : product, [batch, time, weight.shape[1]!]);
}

/** The steps of x [B, T, D], T tensors [B, D]. The gradient of `tf.unstack` fails when there is one step (tfjs 4.22). */
function timeSteps(x: tf.Tensor): tf.Tensor[] {
  const [batch, time, width] = x.shape as [number, number, number];
  return time === 1 ? [tf.reshape(x, [batch, width])] : tf.unstack(x, 1);
}
