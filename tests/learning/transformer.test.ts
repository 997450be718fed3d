// Copy, reverse and sort eight symbols of an alphabet of ten, to exact match on words that were not seen.
import { Rng } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { answers, drawPairs, GPTPairs, learnPairs, RecurrentPairs, TransformerPairs } from './transformer-support.ts';

const [symbols, alphabet] = [8, 10];

beforeAll(async () => {
  await tf.setBackend('ostinato-cpu');
});

describe.each(Object.entries(answers))('to %s 8 symbols', { timeout: 240_000 }, (name, answer) => {
  const draw = (rng: Rng, rows: number) => drawPairs(rng, answer, { rows, symbols, alphabet });

  it('is learned by an encoder and a decoder of one layer and one head', () => {
    const model = new TransformerPairs({ alphabet, size: 32, rng: new Rng(1) });
    const { exact, steps } = learnPairs(model, draw, { steps: 2000, learningRate: 3e-3 });
    console.log(name, 'transformer', exact, steps);
    expect(exact).toBeGreaterThanOrEqual(0.99);
    if (name !== 'reverse') return;
    // The step that says symbol 7 − t looks at it: the anti-diagonal.
    const pairs = draw(new Rng(9), 50);
    const weights = model.memoryWeights(pairs);
    for (let row = 0; row < pairs.rows; row++) {
      for (let t = 0; t < symbols; t++) {
        const at = (row * symbols + t) * symbols;
        const looked = weights.subarray(at, at + symbols);
        expect(looked.indexOf(Math.max(...looked))).toBe(symbols - 1 - t);
      }
    }
  });

  it('is learned by a GPT of two layers', () => {
    const model = new GPTPairs({ alphabet, size: 32, symbols, rng: new Rng(1) });
    const { exact, steps } = learnPairs(model, draw, { steps: 3000, learningRate: 3e-3 });
    console.log(name, 'gpt', exact, steps);
    expect(exact).toBeGreaterThanOrEqual(0.99);
  });

  // Sorting takes this one minutes.
  it.skipIf(name === 'sort')('is learned by a GRU with additive attention', () => {
    const model = new RecurrentPairs({ alphabet, size: 32, rng: new Rng(1) });
    const { exact, steps } = learnPairs(model, draw, { steps: 1000, learningRate: 5e-3 });
    console.log(name, 'gru', exact, steps);
    expect(exact).toBeGreaterThanOrEqual(0.99);
  });
});
