import { disposeState, parameters, Rng, type State } from '@ostinato/core';
import { generateBatch } from '@ostinato/decoding';
import { softmaxCrossEntropy } from '@ostinato/ops';
import { allClose, expectNoLeak } from '@ostinato/testing';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { type EncoderCache, GPT } from '../src/index.ts';
import { checkParameters, expectClose, random } from './helpers.ts';

const sizes = { vocabularySize: 7, maximumTime: 6, numLayers: 2, numHeads: 2, size: 8 };
const ids = tf.keep(
  tf.tensor2d(
    [
      [1, 5, 0, 6, 2, 2],
      [3, 3, 4, 1, 0, 6],
    ],
    [2, 6],
    'int32',
  ),
);

describe('GPT', () => {
  const model = new GPT({ ...sizes, rng: new Rng(1) });

  it('starts near the uniform distribution, as GPT-2 does', () => {
    const large = new GPT({ ...sizes, numLayers: 8, size: 64, vocabularySize: 100 });
    const own = parameters(large);
    const deviation = (path: string): number => tf.sqrt(tf.mean(tf.square(own.get(path)!))).dataSync()[0]!;
    expect(deviation('tokens.table')).toBeCloseTo(0.02, 3);
    expect(deviation('blocks.layers.3.attention.queryKeyValue.weight')).toBeCloseTo(0.02, 3);
    expect(deviation('blocks.layers.3.attention.output.weight')).toBeCloseTo(0.005, 3);
    expect(deviation('blocks.layers.3.feedForward.output.weight')).toBeCloseTo(0.005, 3);
    expect(deviation('blocks.layers.3.feedForward.hidden.bias')).toBe(0);
    const loss = softmaxCrossEntropy({
      logits: large.call(ids),
      labels: tf.add(ids, tf.scalar(50, 'int32')),
    }).dataSync()[0]!;
    expect(Math.abs(loss - Math.log(100))).toBeLessThan(0.2);
  });

  it('has GPT-2’s number of parameters', () => {
    const count = (gpt: GPT): number => [...parameters(gpt).values()].reduce((sum, { size }) => sum + size, 0);
    // nanoGPT's small configuration for Shakespeare: 0.80 million without positions, tied.
    const options = { vocabularySize: 65, maximumTime: 64, numLayers: 4, numHeads: 4, size: 128 };
    const layer = 12 * 128 ** 2 + (3 + 1 + 4 + 1) * 128 + 4 * 128;
    expect(count(new GPT(options))).toBe((65 + 64) * 128 + 4 * layer + 256);
    expect(count(new GPT({ ...options, tied: false })) - count(new GPT(options))).toBe(65 * 128);
  });

  it('has the gradients that finite differences have, of the tied table too', () => {
    const small = new GPT({ ...sizes, numLayers: 1, rng: new Rng(1) });
    for (const [i, [path, variable]] of [...parameters(small)].entries()) {
      // At 0.02 a norm bends too much within a difference.
      if (!path.endsWith('gain')) variable.assign(random(variable.shape, i));
    }
    checkParameters(small, () => small.call(ids), { step: 3e-3, tolerance: 1e-2 });
  });

  it('reads with a state what it reads at once: prompt and steps, to 1e-5', () => {
    const whole = model.call(ids); // [B, T, V]
    let state = model.initialState(2);
    const check = (logits: tf.Tensor, position: number): void =>
      expect(allClose(logits, tf.squeeze(tf.slice(whole, [0, position, 0], [2, 1, 7]), [1]), 1e-5)).toMatchObject({
        close: true,
      });
    const prompt = model.step(tf.slice(ids, [0, 0], [2, 3]), state);
    check(prompt.logits, 2);
    state = prompt.state;
    for (let t = 3; t < 6; t++) {
      const step = model.step(tf.reshape(tf.slice(ids, [0, t], [2, 1]), [2]), state);
      check(step.logits, t);
      state = step.state;
    }
    expect([...state.lengths.dataSync()]).toEqual([6, 6]);
    expect(() => model.step(tf.tensor1d([0, 0], 'int32'), state)).toThrow('must be in 0 … 5, got 6');
  });

  it('generates through @ostinato/decoding, and leaks nothing', async () => {
    await expectNoLeak(async () => {
      const initialState = model.initialState(2);
      const tokens: number[][] = [[1, 5], [3]];
      for await (const { row, token } of generateBatch<State>({
        prompts: [[1, 5], [3]],
        initialState,
        step: (next, state) => model.step(tf.tensor1d(next, 'int32'), state as EncoderCache),
        maximumTokens: 3,
        temperature: 0,
      }))
        tokens[row]!.push(token);
      disposeState(initialState);
      // The most likely token of the whole text so far, one after the other.
      for (const row of tokens) {
        for (let i = row.length - 3; i < row.length; i++) {
          const logits = tf.tidy(() =>
            model
              .call(tf.tensor2d([row.slice(0, i)], [1, i], 'int32'))
              .dataSync()
              .slice(-7),
          );
          expect(row[i]).toBe(logits.indexOf(Math.max(...logits)));
        }
      }
    });
  });

  it('leaks nothing, with a gradient either', () => {
    const dropping = new GPT({ ...sizes, dropout: 0.2 });
    expectNoLeak(() => dropping.call(ids, { training: true, rng: new Rng(2) }));
    const loss = (): tf.Scalar => tf.mean(model.call(ids));
    expectNoLeak(() => tf.variableGrads(loss, [...parameters(model).values()]));
    expectNoLeak(() => new GPT(sizes).dispose());
  });

  it('says what does not fit', () => {
    expect(() => model.call(tf.zeros([1, 7], 'int32'))).toThrow(
      'positions (LearnedPositions.call): time must be a finite number ≤ 6, got 7',
    );
    expect(() => model.call(tf.tensor2d([[9]], [1, 1], 'int32'))).toThrow('got 9');
    expect(() => model.initialState(1, 7)).toThrow('GPT.initialState: maximumTime must be an integer ≥ 1 ≤ 6, got 7.');
    expectClose(model.project(model.hidden(ids)), model.call(ids));
  });
});
