// Copy, reverse and sort six symbols of an alphabet of ten, to exact match on words that were not seen.
import { Rng } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { answers, drawPairs, GPTPairs, learnPairs, RecurrentPairs, TransformerPairs } from './transformer-support.ts';

const [symbols, alphabet] = [6, 10];

beforeAll(async () => {
  await tf.setBackend('ostinato-cpu');
});

describe.each(Object.entries(answers))('to %s 6 symbols', { timeout: 240_000 }, (name, answer) => {
  const draw = (rng: Rng, rows: number) => drawPairs(rng, answer, { rows, symbols, alphabet });

  it('is learned by an encoder and a decoder of one layer and one head', () => {
    const model = new TransformerPairs({ alphabet, size: 32, rng: new Rng(1) });
    const { exact } = learnPairs(model, draw, { steps: 2000, learningRate: 3e-3 });
    expect(exact).toBeGreaterThanOrEqual(0.99);
    if (name !== 'reverse') return;
    // What says symbol 5 − t looks at it: on average over 50 words, the anti-diagonal.
    const weights = model.memoryWeights(draw(new Rng(9), 50));
    const mean = Array.from({ length: symbols * symbols }, (_, i) =>
      Array.from({ length: 50 }, (_, row) => weights[row * symbols * symbols + i]! / 50).reduce((sum, x) => sum + x),
    );
    for (let t = 0; t < symbols; t++) expect(mean[t * symbols + symbols - 1 - t]).toBeGreaterThan(0.6);
  });

  it('is learned by a GPT of two layers', () => {
    const model = new GPTPairs({ alphabet, size: 32, symbols, rng: new Rng(1) });
    const { exact } = learnPairs(model, draw, { steps: 3000, learningRate: 3e-3 });
    expect(exact).toBeGreaterThanOrEqual(0.99);
  });

  // The decoder runs step by step in small ops: one task is enough.
  it.runIf(name === 'reverse')('is learned by a GRU with additive attention', () => {
    const short = (rng: Rng, rows: number) => drawPairs(rng, answer, { rows, symbols: 3, alphabet });
    const model = new RecurrentPairs({ alphabet, size: 32, rng: new Rng(1) });
    const { exact } = learnPairs(model, short, { steps: 1000, learningRate: 5e-3 });
    expect(exact).toBeGreaterThanOrEqual(0.99);
  });
});
