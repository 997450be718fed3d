// What the tests of this package share: running a kernel, comparing values, seeded arrays.
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'vitest';

export type Tensors = Record<string, tf.Tensor>;

/** Runs a kernel on the active backend; always a list of outputs. */
export function runKernel(name: string, inputs: Tensors, attributes: object = {}): tf.Tensor[] {
  return [tf.engine().runKernel(name, inputs, attributes as tf.NamedAttrMap)].flat() as tf.Tensor[];
}

/** Runs `body` on one backend and returns the values of the tensors it gives, with their shapes. */
export function on(backend: string, body: () => tf.Tensor[]): { shape: number[]; values: Float32Array }[] {
  const before = tf.getBackend();
  tf.setBackend(backend); // a promise, kept at once by backends that start at once
  expect(tf.getBackend()).toBe(backend);
  try {
    const tensors = tf.tidy(body) as tf.Tensor[];
    const results = tensors.map(tensor => ({ shape: [...tensor.shape], values: tensor.dataSync() as Float32Array }));
    tf.dispose(tensors);
    return results;
  } finally {
    tf.setBackend(before);
  }
}

/** |a − b| ≤ absolute + relative·|b| everywhere, NaN and infinities at the same places. */
export function expectClose(
  actual: { shape: number[]; values: ArrayLike<number> }[],
  expected: { shape: number[]; values: ArrayLike<number> }[],
  { absolute = 2e-5, relative = 2e-5 }: { absolute?: number; relative?: number } = {},
): void {
  expect(actual.map(({ shape }) => shape)).toEqual(expected.map(({ shape }) => shape));
  for (const [index, { values }] of actual.entries()) {
    const wanted = expected[index]!.values;
    for (let i = 0; i < wanted.length; i++) {
      const [got, want] = [values[i]!, wanted[i]!];
      if (Object.is(got, want) || Math.abs(got - want) <= absolute + relative * Math.abs(want)) continue;
      expect.fail(`output ${index}, element ${i}: got ${got}, expected ${want}`);
    }
  }
}

/** Values in −scale … scale by a linear congruential generator (Numerical Recipes' constants). */
export function numbers(seed: number, size: number, scale = 1): Float32Array {
  let state = seed >>> 0;
  return Float32Array.from({ length: size }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return scale * (state / 2 ** 31 - 1);
  });
}

export function tensor(seed: number, shape: number[], scale = 1): tf.Tensor {
  return tf.tensor(numbers(seed, tf.util.sizeFromShape(shape), scale), shape);
}

/** What stands for an absent optional operand. */
export const absent = (): tf.Tensor => tf.tensor(new Float32Array(0), [0]);
