import { type CallOptions, type Cell, parameters, type StepResult, valueAndGrad } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { bidirectional, LSTM, LSTMCell, RNNCell, unroll } from '../src/index.ts';
import { expectClose, expectOnlyResult, expectSame, random } from './helpers.ts';

type Memory = { readonly sum: tf.Tensor; readonly seen: readonly [{ readonly count: tf.Tensor }] };

/** A cell of a user: its output is the sum of all inputs so far; its state is nested and also counts the steps. */
class RunningSum implements Cell<Memory> {
  readonly inputSize = 1;
  readonly outputSize = 1;
  readonly calls: CallOptions[] = [];

  initialState(batchSize: number): Memory {
    return { sum: tf.zeros([batchSize, 1]), seen: [{ count: tf.zeros([batchSize]) }] };
  }

  step(input: tf.Tensor, { sum, seen }: Memory, options: CallOptions = {}): StepResult<Memory> {
    this.calls.push(options);
    const next = tf.add(sum, input);
    return { output: tf.clone(next), state: { sum: next, seen: [{ count: tf.add(seen[0].count, 1) }] } };
  }
}

const input = tf.keep(tf.tensor3d([1, 2, 3, 4, 10, 20, 30, 40], [2, 4, 1]));

describe('unroll of any cell', () => {
  it('hands the state from step to step', () => {
    const { output, state } = unroll(new RunningSum(), input);
    expect(Array.from(output.dataSync())).toEqual([1, 3, 6, 10, 10, 30, 60, 100]);
    expect(Array.from(state.sum.dataSync())).toEqual([10, 100]);
    expect(Array.from(state.seen[0].count.dataSync())).toEqual([4, 4]);
  });

  it('reads backward, with outputs in place', () => {
    const { output } = unroll(new RunningSum(), input, { reverse: true });
    expect(Array.from(output.dataSync())).toEqual([10, 9, 7, 4, 100, 90, 70, 40]);
  });

  it('stops every row at its length', () => {
    const { output, state } = unroll(new RunningSum(), input, { lengths: [2, 3] });
    expect(Array.from(output.dataSync())).toEqual([1, 3, 0, 0, 10, 30, 60, 0]);
    expect(Array.from(state.seen[0].count.dataSync())).toEqual([2, 3]);
    const back = unroll(new RunningSum(), input, { lengths: [2, 3], reverse: true });
    expect(Array.from(back.output.dataSync())).toEqual([3, 2, 0, 0, 60, 50, 30, 0]);
  });

  it('lets no NaN out of the padding, neither forward nor as a gradient', () => {
    for (const reverse of [false, true]) {
      const cell = new LSTMCell({ inputSize: 1, hiddenSize: 2, layerNorm: true });
      const lossOf = (padding: number): number[] => {
        const padded = tf.tensor3d([1, 2, padding, padding, 3, 4, 5, padding], [2, 4, 1]);
        const { value, gradients } = valueAndGrad(parameters(cell), () => {
          const { output, state } = unroll(cell, padded, { lengths: [2, 3], reverse });
          return { loss: tf.add(tf.sum(output), tf.sum(state.cell)) };
        });
        return [value, ...gradients.values()].flatMap(tensor => [...tensor.dataSync()]);
      };
      expect(lossOf(Number.NaN)).toEqual(lossOf(0));
    }
  });

  it('begins anew at resets, forward and backward, but not beyond the length', () => {
    const resets = [0, 0, 1, 0, 1, 0, 0, 1];
    const { output, state } = unroll(new RunningSum(), input, { resets, lengths: [4, 3] });
    expect(Array.from(output.dataSync())).toEqual([1, 3, 3, 7, 10, 30, 60, 0]);
    expect(Array.from(state.sum.dataSync())).toEqual([7, 60]);
    const back = unroll(new RunningSum(), input, { resets, reverse: true });
    expect(Array.from(back.output.dataSync())).toEqual([3, 2, 7, 4, 60, 50, 30, 40]);
  });

  it('starts from the given state, which a reset at step 0 replaces', () => {
    const state: Memory = { sum: tf.tensor2d([[100], [1000]]), seen: [{ count: tf.tensor1d([5, 5]) }] };
    const { output } = unroll(new RunningSum(), input, { state, resets: Uint8Array.of(0, 0, 0, 0, 1, 0, 0, 0) });
    expect(Array.from(output.dataSync())).toEqual([101, 103, 106, 110, 10, 30, 60, 100]);
  });

  it('passes training and rng to every step unchanged', () => {
    const cell = new RunningSum();
    unroll(cell, input, { training: true });
    expect(cell.calls).toEqual(Array(4).fill({ training: true, rng: undefined }));
  });

  it('differentiates through one step as through many', () => {
    const gradient = tf.grad((x: tf.Tensor) => tf.sum(unroll(new RunningSum(), x).output));
    expect(Array.from(gradient(tf.zeros([1, 1, 1])).dataSync())).toEqual([1]);
    expect(Array.from(gradient(tf.zeros([1, 3, 1])).dataSync())).toEqual([3, 2, 1]);
  });

  it('leaks nothing, and returns nothing that it was given', () => {
    const keep: Cell<tf.Tensor> = {
      inputSize: 1,
      outputSize: 1,
      initialState: rows => tf.zeros([rows, 1]),
      step: (x, state) => ({ output: tf.clone(x), state }),
    };
    const state = tf.ones([2, 1]);
    expectOnlyResult(() => unroll(keep, input, { state, lengths: [0, 4] }));
    expectOnlyResult(() => unroll(keep, input, { state }));
    expectOnlyResult(() => unroll(new RunningSum(), input, { lengths: [0, 4], resets: [0, 0, 1, 0, 1, 0, 0, 1] }));
    expect(state.isDisposed).toBe(false);
  });

  it('says what does not fit', () => {
    expect(() => unroll(new RunningSum(), tf.zeros([2, 4]))).toThrow(
      'unroll: input must be [batch, time, inputSize], expected [?, ?, 1], got [2, 4].',
    );
    expect(() => unroll(new RunningSum(), input, { resets: [true] })).toThrow(
      'unroll: resets must have one entry per row and step',
    );
    expect(() => unroll(new RunningSum(), input, { lengths: [5, 1] })).toThrow(
      'unroll: every length must be an integer in 0 … 4, got 5.',
    );
  });
});

describe('a reset at step 0 alone', () => {
  it('replaces the state and lets gradients through the window', () => {
    const lstm = new LSTM({ inputSize: 1, hiddenSize: 2 });
    tf.tidy(() => {
      const state = [{ hidden: tf.ones([2, 2]), cell: tf.ones([2, 2]) }];
      const resets = [1, 0, 0, 0, 1, 0, 0, 0];
      expectSame(lstm.call(input, { state, resets }), lstm.call(input));
      const gradient = (withResets: boolean): tf.Tensor =>
        tf.grad((x: tf.Tensor) => tf.sum(lstm.call(x, withResets ? { state, resets } : {}).output))(input);
      expectClose(gradient(true), gradient(false));
    });
  });
});

describe('bidirectional', () => {
  it('joins any two cells, each in its own direction', () => {
    const x = random([2, 4, 3]);
    const forward = new LSTMCell({ inputSize: 3, hiddenSize: 4 });
    const backward = new RNNCell({ inputSize: 3, hiddenSize: 2, layerNorm: true });
    tf.tidy(() => {
      const { output, state } = bidirectional({ forward, backward }, x, { lengths: [4, 2] });
      const there = unroll(forward, x, { lengths: [4, 2] });
      const back = unroll(backward, x, { lengths: [4, 2], reverse: true });
      expectClose(output, tf.concat([there.output, back.output], 2));
      expectSame({ output, state: state.forward }, { output, state: there.state });
      expectSame({ output, state: state.backward }, { output, state: back.state });
    });
    expectOnlyResult(() => bidirectional({ forward, backward }, x));
  });

  it('joins cells of a user', () => {
    const { output } = bidirectional({ forward: new RunningSum(), backward: new RunningSum() }, input, {
      merge: 'sum',
    });
    expect(Array.from(output.dataSync())).toEqual([11, 12, 13, 14, 110, 120, 130, 140]);
  });

  it('names the valid merges', () => {
    const cell = new RunningSum();
    expect(() => bidirectional({ forward: cell, backward: cell }, input, { merge: 'mean' as 'sum' })).toThrow(
      "bidirectional: unknown merge, expected 'concat' | 'sum' | 'average' | 'product', got 'mean'.",
    );
  });
});
