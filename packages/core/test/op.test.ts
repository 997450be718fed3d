import { expectNoLeak } from '@ostinato/testing';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, describe, expect, it } from 'vitest';
import { type FusedOp, hasKernel, runFused, runKernel } from '../src/index.ts';

/** y = x · factor + shift?, n = how many inputs came; the gradient goes through a kernel of its own. */
const scale: FusedOp = {
  kernelName: 'TestScale',
  inputs: ['x', 'shift'],
  savedOutputs: [true, false],
  gradient([dy, dn], [x, shift, y], attributes) {
    seen.push([x, shift, y, dn].map(tensor => tensor!.shape));
    return { x: runKernel('TestScaleGrad', { dy: dy! }, attributes)[0]!, shift: tf.zerosLike(shift!) };
  },
};
const seen: number[][][] = [];

tf.registerKernel({
  kernelName: 'TestScale',
  backendName: 'cpu',
  kernelFunc: ({ inputs, attrs }) => {
    const x = inputs['x'] as tf.Tensor;
    return [tf.mul(x, attrs!['factor'] as number), tf.scalar(Object.keys(inputs).length)];
  },
});
tf.registerKernel({
  kernelName: 'TestScaleGrad',
  backendName: 'cpu',
  kernelFunc: ({ inputs, attrs }) => tf.mul(inputs['dy'] as tf.Tensor, attrs!['factor'] as number),
});
afterAll(() => {
  tf.unregisterKernel('TestScale', 'cpu');
  tf.unregisterKernel('TestScaleGrad', 'cpu');
  tf.unregisterGradient('TestScale');
});

const run = (x: tf.Tensor): tf.Tensor[] => tf.tidy(() => runFused(scale, { x }, { factor: 3 }));

describe('runFused', () => {
  it('passes an absent input as a tensor of shape [0]', () => {
    const [y, count] = run(tf.tensor1d([1, 2]));
    expect([...y!.dataSync(), ...count!.dataSync()]).toEqual([3, 6, 2]);
  });

  it('gives its gradient all inputs, the saved outputs, and a zero for outputs that are not used', () => {
    const gradient = tf.grad(x => tf.sum(run(x)[0]!))(tf.tensor1d([1, 2]));
    expect([...gradient.dataSync()]).toEqual([3, 3]);
    expect(seen).toEqual([[[2], [0], [2], []]]);
  });

  it('keeps reserved outputs to the gradient, which gets them saved and no gradients of theirs', () => {
    const given: number[] = [];
    const reserving: FusedOp = {
      ...scale,
      kernelName: 'TestScaleReserving',
      savedOutputs: [false, true],
      reserved: 1,
      gradient(dOutputs, saved) {
        given.push(dOutputs.length, saved.length, saved.at(-1)!.dataSync()[0]!);
        return { x: tf.mul(dOutputs[0]!, 3), shift: tf.zerosLike(saved[1]!) };
      },
    };
    const { kernelFunc } = tf.getKernel('TestScale', 'cpu');
    tf.registerKernel({ kernelName: 'TestScaleReserving', backendName: 'cpu', kernelFunc });
    const runReserving = (x: tf.Tensor): tf.Tensor[] => tf.tidy(() => runFused(reserving, { x }, { factor: 3 }));
    try {
      expect(run(tf.tensor1d([1]))).toHaveLength(2);
      expect(runReserving(tf.tensor1d([1]))).toHaveLength(1);
      const x = tf.tensor1d([1, 2]);
      const gradient = tf.grad(input => tf.sum(runReserving(input)[0]!));
      expect([...gradient(x).dataSync()]).toEqual([3, 3]);
      expect(given).toEqual([1, 3, 2]);
      expectNoLeak(() => gradient(x));
    } finally {
      tf.unregisterKernel('TestScaleReserving', 'cpu');
      tf.unregisterGradient('TestScaleReserving');
    }
  });

  it('leaks nothing', () => {
    const x = tf.tensor1d([1, 2]);
    expectNoLeak(() => run(x));
    expectNoLeak(() => tf.grad(input => tf.sum(run(input)[0]!))(x));
  });

  it('leaks nothing when its kernel throws', () => {
    const throwing = { ...scale, kernelName: 'TestThrowing' };
    const kernelFunc = (): never => {
      throw new RangeError('no memory');
    };
    tf.registerKernel({ kernelName: 'TestThrowing', backendName: 'cpu', kernelFunc });
    try {
      const x = tf.tensor1d([1, 2]);
      expectNoLeak(() => expect(() => runFused(throwing, { x }, {})).toThrow('no memory'));
    } finally {
      tf.unregisterKernel('TestThrowing', 'cpu');
      tf.unregisterGradient('TestThrowing');
    }
  });
});

it('hasKernel asks the active backend', () => {
  expect([hasKernel('TestScale'), hasKernel('TestNone')]).toEqual([true, false]);
});

it('runKernel returns a list, of one output too', () => {
  const outputs = runKernel('TestScaleGrad', { dy: tf.tensor1d([2]) }, { factor: 5 });
  expect(outputs.map(tensor => [...tensor.dataSync()])).toEqual([[10]]);
});
