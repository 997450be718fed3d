import '@ostinato/backend-cpu';
import { Rng } from '@ostinato/core';
import { gruSequence, lstmSequence, rnnSequence, type SequenceOptions } from '@ostinato/ops';
import { allClose } from '@ostinato/testing';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, describe, expect, it } from 'vitest';

const [batch, time, inputSize, hiddenSize] = [3, 5, 4, 6];
const steps = [2, 0, 5];

type Weights = readonly [inputWeight: tf.Tensor, recurrentWeight: tf.Tensor];
type Run = (input: tf.Tensor, weights: Weights, lengths: tf.Tensor, reverse: boolean) => (tf.Tensor | null)[];

const recurrences: Record<string, { gates: number; run: (states: SequenceOptions['states']) => Run }> = {
  rnnSequence: {
    gates: 1,
    run:
      states =>
      (input, [inputWeight, recurrentWeight], lengths, reverse) => {
        const sequence = { input, inputWeight, recurrentWeight, lengths };
        const options = { reverse, states } as { reverse: boolean; states: 'last' };
        return Object.values(rnnSequence(sequence, options));
      },
  },
  lstmSequence: {
    gates: 4,
    run:
      states =>
      (input, [inputWeight, recurrentWeight], lengths, reverse) => {
        const sequence = { input, inputWeight, recurrentWeight, lengths };
        const options = { reverse, states } as { reverse: boolean; states: 'last' };
        return Object.values(lstmSequence(sequence, options));
      },
  },
  gruSequence: {
    gates: 3,
    run:
      states =>
      (input, [inputWeight, recurrentWeight], lengths, reverse) => {
        const sequence = { input, inputWeight, recurrentWeight, lengths };
        const options = { reverse, states } as { reverse: boolean; states: 'last' };
        return Object.values(gruSequence(sequence, options));
      },
  },
};

/** Values of all outputs, and of the gradients of input and weights, with padding that holds `filler`. */
function valuesOf(run: Run, gates: number, reverse: boolean, filler: number): number[][] {
  const found: number[][] = [];
  tf.tidy(() => {
    const rng = new Rng(8);
    const drawn = rng.split('input').normal([batch, time, inputSize]).dataSync().slice();
    for (let i = 0; i < drawn.length; i++) {
      const [row, step] = [Math.floor(i / (time * inputSize)), Math.floor(i / inputSize) % time];
      if (step >= steps[row]!) drawn[i] = filler;
    }
    const input = tf.tensor3d(drawn, [batch, time, inputSize]);
    const weights = [inputSize, hiddenSize].map((rows, i) => rng.split(i).normal([rows, gates * hiddenSize], 0, 0.4));
    const lengths = tf.tensor1d(steps, 'int32');
    const outputsOf = (x: tf.Tensor, w: tf.Tensor, u: tf.Tensor): tf.Tensor[] =>
      run(x, [w, u], lengths, reverse).filter(tensor => tensor !== null);
    const gradients = tf.grads((x, w, u) => tf.addN(outputsOf(x!, w!, u!).map(tensor => tf.sum(tf.square(tensor)))))([
      input,
      ...weights,
    ]);
    for (const tensor of [...outputsOf(input, weights[0]!, weights[1]!), ...gradients]) {
      found.push(Array.from(tensor.dataSync()));
    }
  });
  return found;
}

afterEach(async () => {
  await tf.setBackend('cpu');
});

describe.each(Object.entries(recurrences))('%s', (_, { gates, run }) => {
  it.each(['cpu', 'ostinato-cpu'])('keeps a NaN in padding out of every output and gradient on %s', async engine => {
    await tf.setBackend(engine);
    for (const reverse of [false, true]) {
      const clean = valuesOf(run('all'), gates, reverse, 0);
      expect(allClose(valuesOf(run('all'), gates, reverse, Number.NaN), clean)).toMatchObject({ close: true });
    }
  });

  it('agrees between engines where the last state alone is asked for', async () => {
    for (const reverse of [false, true]) {
      await tf.setBackend('cpu');
      const want = valuesOf(run('last'), gates, reverse, 0);
      await tf.setBackend('ostinato-cpu');
      expect(allClose(valuesOf(run('last'), gates, reverse, 0), want)).toMatchObject({ close: true });
    }
  });
});
