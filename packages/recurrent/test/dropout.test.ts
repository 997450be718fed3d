import { parameters, Rng, stateTensors } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { bidirectional, LSTM, LSTMCell, RNN, unroll } from '../src/index.ts';
import { checkGradient, expectClose, expectOnlyResult, expectSame, kinds, random, weighted } from './helpers.ts';

const input = tf.keep(random([3, 6, 8]));
const sizes = { inputSize: 8, hiddenSize: 8, numLayers: 2 };
const rng = new Rng(7);

describe.each(Object.entries(kinds))('dropout of %s', (_kind, create) => {
  const rates = { inputDropout: 0.3, dropout: 0.4, recurrentDropout: 0.5 };

  it('is the identity at inference', () => {
    tf.tidy(() => expectSame(create({ ...sizes, ...rates }).call(input, { rng }), create(sizes).call(input)));
  });

  it('is determined by the rng', () => {
    const layer = create({ ...sizes, ...rates });
    const run = (label: number): string =>
      tf.tidy(() => String(layer.call(input, { training: true, rng: rng.split(label) }).output.dataSync()));
    expect(run(1)).toBe(run(1));
    expect(run(1)).not.toBe(run(2));
  });

  it.each(['inputDropout', 'dropout', 'recurrentDropout'] as const)('%s alone changes the output', name => {
    const layer = create({ ...sizes, [name]: 0.5 });
    tf.tidy(() => {
      const difference = tf.sub(layer.call(input, { training: true, rng }).output, layer.call(input).output);
      expect(tf.max(tf.abs(difference)).dataSync()[0]).toBeGreaterThan(1e-3);
    });
  });

  it('variational masks are the same at every step, so stepping equals calling', () => {
    const layer = create({ ...sizes, ...rates, variational: true }) as unknown as RNN;
    tf.tidy(() =>
      expectSame(unroll(layer, input, { training: true, rng }), layer.call(input, { training: true, rng })),
    );
  });

  it('has the gradient that finite differences have, for fixed masks', () => {
    const layer = create({ ...sizes, ...rates });
    const loss = (): tf.Scalar => weighted(layer.call(input, { training: true, rng, lengths: [6, 2, 4] }));
    for (const variable of parameters(layer).values()) checkGradient(variable, loss, 2);
  });

  it('leaves the fused op only while the recurrence drops', () => {
    const dropping = create({ ...sizes, ...rates }).layers[0]!.forward;
    expect([dropping.fuses({}), dropping.fuses({ training: true })]).toEqual([true, false]);
    expect(create({ ...sizes, dropout: 0.5 }).layers[0]!.forward.fuses({ training: true })).toBe(true);
    const [normalised] = new LSTM({ ...sizes, layerNorm: true }).layers;
    expect(normalised!.forward.fuses({})).toBe(false);
  });

  it('leaks nothing', () => {
    const layer = create({ ...sizes, ...rates, bidirectional: true });
    expectOnlyResult(() => layer.call(input, { training: true, rng, lengths: [6, 2, 0] }));
  });
});

describe('masks', () => {
  // W and U are the identity, b zero: an output shows which inputs were kept.
  const echo = (rates: { inputDropout?: number; recurrentDropout?: number; variational?: boolean }): RNN => {
    const layer = new RNN({ inputSize: 8, hiddenSize: 8, activation: 'relu', bias: false, ...rates });
    const { inputWeight, recurrentWeight } = layer.layers[0]!.forward;
    tf.tidy(() => {
      inputWeight.assign(tf.eye(8));
      recurrentWeight.assign(rates.recurrentDropout === undefined ? tf.zeros([8, 8]) : tf.eye(8));
    });
    return layer;
  };
  const steps = (output: tf.Tensor): string[] => tf.unstack(output, 1).map(step => String(step.dataSync()));

  it('variational: one for all steps of a row; plain: one for each', () => {
    const ones = tf.ones([2, 5, 8]);
    const run = (variational: boolean): string[] =>
      steps(echo({ inputDropout: 0.5, variational }).call(ones, { training: true, rng }).output);
    expect(new Set(run(true)).size).toBe(1);
    expect(run(true)[0]).toMatch(/0/);
    expect(run(true)[0]).toMatch(/2/);
    expect(new Set(run(false)).size).toBe(5);
  });

  it('recurrent: one for all steps, on the state as it enters the product (Gal and Ghahramani 2016)', () => {
    const layer = echo({ recurrentDropout: 0.5 });
    const state = [{ hidden: tf.ones([2, 8]) }];
    const { output } = layer.call(tf.zeros([2, 4, 8]), { state, training: true, rng });
    const first = tf.slice(output, [0, 0, 0], [2, 1, 8]); // 0 or 2
    expectClose(
      output,
      tf.concat(
        [1, 2, 3, 4].map(power => tf.pow(first, power)),
        1,
      ),
    );
  });

  it('recurrent: leaves the memory of an LSTM alone', () => {
    const cell = new LSTMCell({ inputSize: 2, hiddenSize: 50, recurrentDropout: 0.9, forgetBias: 100 });
    tf.tidy(() => {
      cell.inputWeight.assign(tf.zeros([2, 200]));
      cell.recurrentWeight.assign(tf.zeros([50, 200]));
      const state = { hidden: tf.ones([1, 50]), cell: tf.ones([1, 50]) };
      const [dropped, kept] = [{ training: true, rng }, {}].map(
        options => cell.step(tf.zeros([1, 2]), state, options).state.cell,
      );
      expectClose(dropped!, kept!);
    });
  });

  it('between layers: the same mask for both directions above', () => {
    const layer = new LSTM({ ...sizes, bidirectional: true, dropout: 0.5 });
    expect(layer.dropout.rate).toBe(0.5);
    expectOnlyResult(() => layer.call(input, { training: true, rng }));
  });

  it('differ between the layers and between the directions of a stack', () => {
    const layer = new RNN({
      inputSize: 16,
      hiddenSize: 16,
      numLayers: 2,
      bidirectional: true,
      merge: 'sum',
      activation: 'relu',
      bias: false,
      recurrentDropout: 0.5,
    });
    tf.tidy(() => {
      for (const { forward, backward } of layer.layers) {
        for (const cell of [forward, backward!]) {
          cell.inputWeight.assign(tf.zeros([16, 16]));
          cell.recurrentWeight.assign(tf.eye(16));
        }
      }
      // One step of the identity: each final state is its mask, 0 or 2.
      const ones = (): { hidden: tf.Tensor } => ({ hidden: tf.ones([2, 16]) });
      const state = [ones(), ones(), ones(), ones()]; // forward and backward of both layers
      const result = layer.call(tf.zeros([2, 1, 16]), { state, training: true, rng });
      const masks = stateTensors(result.state).map(tensor => String(tensor.dataSync()));
      expect(new Set(masks).size).toBe(4);
    });
  });

  it('differ between the cells of bidirectional', () => {
    const cell = echo({ recurrentDropout: 0.5 }).layers[0]!.forward;
    const state = { forward: { hidden: tf.ones([2, 8]) }, backward: { hidden: tf.ones([2, 8]) } };
    const cells = { forward: cell, backward: cell };
    const { state: final } = bidirectional(cells, tf.zeros([2, 1, 8]), { state, training: true, rng });
    expect(final.forward.hidden.dataSync()).not.toEqual(final.backward.hidden.dataSync());
  });
});
