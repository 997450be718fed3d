import { Rng } from '@ostinato/core';
import { allClose, expectNoLeak } from '@ostinato/testing';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { GRUCell, LSTMCell, RNNCell, traceCell, unroll } from '../src/index.ts';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const input = (): tf.Tensor => new Rng(1).normal([2, 5, 3]);
const before = (states: tf.Tensor): tf.Tensor =>
  tf.concat([tf.zeros([2, 1, 4]), tf.slice(states, [0, 0, 0], [2, 4, 4])], 1);

describe('traceCell', () => {
  it('shows the gates of an LSTM, from which its states follow', () => {
    const cell = new LSTMCell({ inputSize: 3, hiddenSize: 4, rng: new Rng(2) });
    tf.tidy(() => {
      const { i, f, g, o, cell: c, hidden, ...rest } = traceCell(cell, input()) as Record<string, tf.Tensor>;
      expect(rest).toEqual({});
      expect(allClose(c!, tf.add(tf.mul(f!, before(c!)), tf.mul(i!, g!)))).toMatchObject({ close: true });
      expect(allClose(hidden!, tf.mul(o!, tf.tanh(c!)))).toMatchObject({ close: true });
      expect(allClose(hidden!, unroll(cell, input()).output)).toMatchObject({ close: true });
    });
  });

  it('shows the gates of both GRUs', () => {
    for (const resetAfter of [true, false]) {
      const cell = new GRUCell({ inputSize: 3, hiddenSize: 4, resetAfter, rng: new Rng(2) });
      tf.tidy(() => {
        const { r, z, n, hidden } = traceCell(cell, input()) as Record<string, tf.Tensor>;
        expect(r!.shape).toEqual([2, 5, 4]);
        const want = tf.add(tf.mul(tf.sub(1, z!), n!), tf.mul(z!, before(hidden!)));
        expect(allClose(hidden!, want)).toMatchObject({ close: true });
        expect(allClose(hidden!, unroll(cell, input()).output)).toMatchObject({ close: true });
      });
    }
  });

  it('begins at a given state, has the states of a plain network alone, and leaks nothing', () => {
    const cell = new RNNCell({ inputSize: 3, hiddenSize: 4 });
    const [x, hidden] = [input(), new Rng(3).normal([2, 4])];
    expectNoLeak(() => {
      const trace = traceCell(cell, x, { state: { hidden } });
      expect(Object.keys(trace)).toEqual(['hidden']);
      tf.tidy(() => {
        expect(allClose(trace['hidden']!, unroll(cell, x, { state: { hidden } }).output)).toMatchObject({
          close: true,
        });
      });
      return Object.values(trace);
    });
    expect(() => traceCell(cell, tf.zeros([2, 3]))).toThrow('traceCell: input must be [batch, time, inputSize]');
  });
});
