import { type Module, parameters, Rng } from '@ostinato/core';
import { allClose, type GradCheckOptions, gradCheck } from '@ostinato/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'vitest';

/** Normal random numbers, the same for the same seed. */
export function random(shape: number[], seed = 1): tf.Tensor {
  return new Rng(seed).normal(shape);
}

/** All elements agree, and the shapes. */
export function expectClose(got: tf.Tensor, want: tf.Tensor): void {
  expect(got.shape).toEqual(want.shape);
  expect(allClose(got, want)).toMatchObject({ close: true });
}

/** What lies at row `b` and the steps `from` … `from + count − 1` of [batch, time, width]. */
export function part(tensor: tf.Tensor, from: number, count: number, row?: number): tf.Tensor {
  const [batch, , width] = tensor.shape as [number, number, number];
  return tf.slice(tensor, [row ?? 0, from, 0], [row === undefined ? batch : 1, count, width]);
}

/** Checks the gradients of `body` by every parameter of `module`: as tensors in the places of its Variables. */
export function checkParameters(
  module: Module,
  body: () => tf.Tensor | readonly tf.Tensor[],
  options: GradCheckOptions = {},
): void {
  const own = [...parameters(module)];
  const holders = own.map(([path]) => {
    const fields = path.split('.');
    const last = fields.pop()!;
    return [fields.reduce((node, field) => (node as Record<string, unknown>)[field], module as unknown), last] as const;
  });
  const put = (tensors: readonly tf.Tensor[]): void => {
    holders.forEach(([holder, last], i) => {
      (holder as Record<string, tf.Tensor>)[last] = tensors[i]!;
    });
  };
  const values = own.map(([, variable]) => tf.clone(variable));
  try {
    gradCheck(
      (...tensors) => {
        put(tensors);
        return body();
      },
      values,
      { elements: 3, directions: 1, ...options },
    );
  } finally {
    put(own.map(([, variable]) => variable));
    tf.dispose(values);
  }
}
