// What is NaN or infinite where it does not count (padding, dropped elements, ignored rows) reaches nothing, on either engine.
import '@ostinato/backend-cpu';
import { Dropout, layerNorm, parameters, Rng, valueAndGrad } from '@ostinato/core';
import { dropout, softmaxCrossEntropy } from '@ostinato/ops';
import { GRU, LSTM, RNN, unroll } from '@ostinato/recurrent';
import { allClose } from '@ostinato/testing';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, describe, expect, it } from 'vitest';

const sizes = { inputSize: 3, hiddenSize: 4 };
const kinds = {
  RNN: (options: object) => new RNN({ ...sizes, ...options }),
  LSTM: (options: object) => new LSTM({ ...sizes, ...options }),
  GRU: (options: object) => new GRU({ ...sizes, ...options }),
};

afterEach(async () => {
  await tf.setBackend('cpu');
});

describe.each(['cpu', 'ostinato-cpu'])('on %s', engine => {
  describe.each(Object.entries(kinds))('%s', (_, create) => {
    it.each([
      ['plain', {}],
      ['bidirectional', { bidirectional: true }],
      ['with layer norm', { layerNorm: true }],
      ['with recurrent dropout', { recurrentDropout: 0.5 }],
    ])('keeps a NaN gradient at padding out of every parameter: %s', async (_name, options) => {
      await tf.setBackend(engine);
      tf.tidy(() => {
        const layer = create(options);
        const rng = new Rng(1);
        const input = tf.variable(rng.normal([2, 5, 3]));
        const { gradients } = valueAndGrad(new Map([...parameters(layer), ['input', input] as const]), () => {
          const { output } = layer.call(input, { lengths: [5, 2], training: true, rng });
          return { loss: tf.sum(tf.div(output, tf.norm(output, 'euclidean', 2, true))) }; // 0 / 0 at padding
        });
        expect(gradients.size).toBe(parameters(layer).size + 1);
        for (const [path, gradient] of gradients) {
          expect(gradient.dataSync().every(Number.isFinite), path).toBe(true);
        }
      });
    });

    it('keeps it out of a cell that is unrolled', async () => {
      await tf.setBackend(engine);
      tf.tidy(() => {
        const layer = create({});
        const cell = layer.layers[0]!.forward as unknown as Parameters<typeof unroll>[0];
        const { gradients } = valueAndGrad(parameters(layer), () => {
          const { output } = unroll(cell, new Rng(1).normal([2, 5, 3]), { lengths: [5, 2] });
          return { loss: tf.sum(tf.div(output, tf.norm(output, 'euclidean', 2, true))) };
        });
        for (const gradient of gradients.values()) expect(gradient.dataSync().every(Number.isFinite)).toBe(true);
      });
    });
  });

  it.each([Number.NaN, Infinity])('drops %d', async value => {
    await tf.setBackend(engine);
    tf.tidy(() => {
      const rng = new Rng(1);
      const kept = (x: tf.Tensor): boolean[] => Array.from(x.dataSync(), y => y !== 0);
      const options = { rate: 0.5, key: rng.key };
      const [input, ones] = [tf.fill([20], value), tf.ones([20])];
      const mask = kept(dropout(ones, options));
      expect(new Set(mask).size).toBe(2);
      expect(kept(dropout(input, options))).toEqual(mask);
      const gradient = tf.grads((x, dy) => tf.sum(tf.mul(dropout(x!, options), dy!)))([ones, input])[0]!;
      expect(kept(gradient)).toEqual(mask);
      const layer = new Dropout({ rate: 0.5, variational: true });
      const steps = layer.call(tf.fill([1, 2, 20], value), { training: true, rng });
      expect(kept(steps)).toEqual(kept(layer.call(tf.ones([1, 2, 20]), { training: true, rng })));
    });
  });

  it('ignores rows of logits that are NaN', async () => {
    await tf.setBackend(engine);
    tf.tidy(() => {
      const labels = tf.tensor1d([-1, 1], 'int32');
      const rows = (first: number): tf.Tensor => tf.tensor2d([first, first, first, 1, 2, 3], [2, 3]);
      for (const labelSmoothing of [0, 0.1]) {
        const loss = (logits: tf.Tensor): tf.Tensor =>
          softmaxCrossEntropy({ logits, labels }, { ignoreIndex: -1, labelSmoothing });
        const both = (logits: tf.Tensor): tf.Tensor[] => [loss(logits), tf.grad(loss)(logits)];
        const [got, want] = [both(rows(Number.NaN)), both(rows(0))];
        got.forEach((tensor, i) => {
          expect(allClose(tensor, want[i]!)).toMatchObject({ close: true });
        });
      }
    });
  });

  it('has a loss of 0 for no rows', async () => {
    await tf.setBackend(engine);
    tf.tidy(() => {
      const labels = tf.zeros([0], 'int32');
      for (const options of [{}, { ignoreIndex: -1 }, { reduction: 'sum' as const }]) {
        const loss = (logits: tf.Tensor): tf.Tensor => softmaxCrossEntropy({ logits, labels }, options);
        expect(loss(tf.zeros([0, 3])).dataSync()).toEqual(Float32Array.of(0));
        expect(tf.grad(loss)(tf.zeros([0, 3])).shape).toEqual([0, 3]);
      }
    });
  });

  it('normalises a constant row to exactly 0', async () => {
    await tf.setBackend(engine);
    tf.tidy(() => {
      for (const width of [1, 3, 7, 64]) {
        const output = layerNorm({ input: tf.fill([2, width], 0.1) }).dataSync();
        expect(output.every(x => x === 0)).toBe(true);
      }
    });
  });
});
