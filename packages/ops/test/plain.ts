// The recurrences as plain loops over numbers in float64, independent of the ops, and what the tests of this package share.
import { Rng } from '@ostinato/core';
import { allClose } from '@ostinato/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'vitest';

export type Vector = readonly number[];
export type Matrix = readonly Vector[];

export const vectorOf = (tensor: tf.Tensor): Vector => tensor.arraySync() as number[];
export const matrixOf = (tensor: tf.Tensor): Matrix => tensor.arraySync() as number[][];

export const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** v M */
export function product(v: Vector, m: Matrix): number[] {
  return m[0]!.map((_, j) => v.reduce((sum, x, i) => sum + x * m[i]![j]!, 0));
}

export function sum(...vectors: readonly Vector[]): number[] {
  return vectors[0]!.map((_, i) => vectors.reduce((total, vector) => total + vector[i]!, 0));
}

/** The gates that lie side by side in one vector. */
export function gatesOf(v: Vector, count: number): number[][] {
  const width = v.length / count;
  return Array.from({ length: count }, (_, gate) => v.slice(gate * width, (gate + 1) * width));
}

/** How a row is read. */
export interface Reading {
  readonly lengths?: readonly number[] | undefined;
  readonly reverse?: boolean | undefined;
}

/** A state is a list of vectors, the first of which is the output of a step. */
type State = readonly Vector[];

/** Runs `step` over the valid steps of every row: outputs [B, T, H], zero beyond, and the state of each row's own end. */
export function plainRecurrence(
  input: tf.Tensor,
  initial: readonly tf.Tensor[],
  step: (x: Vector, state: State) => State,
  { lengths, reverse = false }: Reading,
): { output: number[][][]; last: State[] } {
  const rows = input.arraySync() as number[][][];
  const starts = initial.map(matrixOf);
  const last: State[] = [];
  const output = rows.map((row, b) => {
    let state: State = starts.map(start => start[b]!);
    const outputs = row.map(() => state[0]!.map(() => 0));
    const valid = [...row.keys()].slice(0, lengths?.[b] ?? row.length);
    for (const t of reverse ? valid.reverse() : valid) {
      state = step(row[t]!, state);
      outputs[t] = [...state[0]!];
    }
    last.push(state);
    return outputs;
  });
  return { output, last };
}

export interface Sizes {
  readonly batch: number;
  readonly time: number;
  readonly inputSize: number;
  readonly hiddenSize: number;
}

/** Shapes and readings that every recurrence is tested with. */
export const readings: readonly (readonly [name: string, sizes: Sizes, reading: Reading])[] = [
  ['all steps', { batch: 2, time: 4, inputSize: 3, hiddenSize: 2 }, {}],
  ['one row and one step', { batch: 1, time: 1, inputSize: 2, hiddenSize: 3 }, {}],
  ['one step, backward', { batch: 2, time: 1, inputSize: 2, hiddenSize: 1 }, { reverse: true }],
  ['backward', { batch: 2, time: 4, inputSize: 3, hiddenSize: 2 }, { reverse: true }],
  ['lengths 0 to T', { batch: 4, time: 3, inputSize: 2, hiddenSize: 3 }, { lengths: [2, 0, 3, 1] }],
  ['lengths, backward', { batch: 4, time: 3, inputSize: 1, hiddenSize: 2 }, { lengths: [2, 0, 3, 1], reverse: true }],
];

/** Normal random numbers, the same for the same label. */
export function random(shape: readonly number[], label: string, deviation = 0.7): tf.Tensor {
  return new Rng(1).split(label).normal(shape, 0, deviation);
}

export function lengthsOf({ lengths }: Reading): tf.Tensor | undefined {
  return lengths && tf.tensor1d([...lengths], 'int32');
}

export function expectClose(got: tf.Tensor, want: Parameters<typeof allClose>[1], tolerance?: number): void {
  expect(allClose(got, want, tolerance)).toMatchObject({ close: true });
}
