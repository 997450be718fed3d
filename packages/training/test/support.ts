import { Module } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';

/** A model of nothing but named Variables. */
export class Variables extends Module {
  readonly a: tf.Variable;
  readonly b: tf.Variable;

  constructor(a: number[], b: number[]) {
    super();
    this.a = tf.tidy(() => tf.variable(tf.tensor1d(a)));
    this.b = tf.tidy(() => tf.variable(tf.tensor1d(b)));
  }
}

/** Gradients of a step, from numbers. */
export function gradientsOf(values: Record<string, number[]>): Map<string, tf.Tensor> {
  return new Map(Object.entries(values).map(([path, numbers]) => [path, tf.tensor1d(numbers)]));
}

/** The numbers of a model's two parameters. */
export function valuesOf(model: Variables): number[][] {
  return [[...model.a.dataSync()], [...model.b.dataSync()]];
}
