import { Rng } from '@ostinato/core';
import { argMax, chooseToken, sampleInverse } from '@ostinato/decoding';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

describe('sampleInverse', () => {
  it('takes the first token whose cumulative probability exceeds u', () => {
    const probabilities = [0.25, 0, 0.5, 0.25];
    expect([0, 0.2499, 0.25, 0.7499, 0.75, 0.9999].map(u => sampleInverse(probabilities, u))).toEqual([
      0, 0, 2, 2, 3, 3,
    ]);
    expect(sampleInverse([0, 1], 0)).toBe(1);
    expect(() => sampleInverse(probabilities, 1)).toThrow('u must be a finite number ≥ 0 < 1, got 1');
  });

  it('never takes an impossible token, even where rounding leaves the total below u', () => {
    expect(sampleInverse([0.1, 0.2, 0], 0.99)).toBe(1);
    const weights = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1 }).filter(list => list.some(Boolean));
    fc.assert(
      fc.property(weights, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (list, u) => {
        const sum = list.reduce((a, b) => a + b);
        expect(
          list[
            sampleInverse(
              list.map(weight => weight / sum),
              u,
            )
          ],
        ).toBeGreaterThan(0);
      }),
    );
  });
});

describe('chooseToken', () => {
  const logits = Float32Array.from([0.1, 0.2, 0.3, 0.4], Math.log);

  it('is greedy at temperature 0, without an rng', () => {
    expect(chooseToken(logits, { temperature: 0 })).toBe(3);
    expect(chooseToken(logits, { temperature: 0, suppress: [3] })).toBe(2);
    expect(chooseToken(logits, { temperature: 0, previous: [3], repetitionPenalty: 5 })).toBe(2);
    expect(chooseToken(logits, { temperature: 0, previous: [3, 3], noRepeatNgram: 1 })).toBe(2);
    // The surprise of the first is furthest from the entropy: no filter but typicalP leaves the most likely token out.
    const spread = Float32Array.from([0.4, 0.3, 0.3], Math.log);
    expect(chooseToken(spread, { temperature: 0, typicalP: 0.5 })).toBe(1);
    expect(chooseToken(spread, { temperature: 0, topK: 2, topP: 0.5, minP: 0.1 })).toBe(0);
    expect(argMax([1, 3, 3])).toBe(1);
  });

  it('draws with the probabilities of the filtered distribution', () => {
    const rng = new Rng(1);
    const counts = [0, 0, 0, 0];
    for (let i = 0; i < 4000; i++) counts[chooseToken(logits, { rng, topK: 3 })]!++;
    expect(counts[0]).toBe(0);
    for (const [token, share] of [
      [1, 2 / 9],
      [2, 3 / 9],
      [3, 4 / 9],
    ] as const) {
      // Four standard deviations of a binomial share.
      expect(Math.abs(counts[token]! / 4000 - share)).toBeLessThan(4 * Math.sqrt((share * (1 - share)) / 4000));
    }
  });

  it('checks its options', () => {
    expect(() => chooseToken(logits)).toThrow(
      'chooseToken: sampling needs an rng, got none. Pass { rng: new Rng(seed) }',
    );
    const rng = new Rng(1);
    expect(() => chooseToken(logits, { rng, temperature: -1 })).toThrow(
      'temperature must be a finite number ≥ 0, got -1',
    );
    expect(() => chooseToken(logits, { rng, topK: 1.5 })).toThrow('topK must be an integer ≥ 1, got 1.5');
    expect(() => chooseToken(logits, { rng, minP: 2 })).toThrow('minP must be a finite number ≥ 0 ≤ 1, got 2');
    expect(() => chooseToken(logits, { rng, repetitionPenalty: 0 })).toThrow(
      'repetitionPenalty must be a finite number > 0, got 0',
    );
    expect(() => chooseToken(logits, { rng, noRepeatNgram: 0 })).toThrow('noRepeatNgram must be an integer ≥ 1, got 0');
    expect(() => chooseToken(Float32Array.of(0, Number.NaN), { temperature: 0 })).toThrow('got NaN for token 1');
    expect(() => chooseToken(Float32Array.of(0), { rng, suppress: [0] })).toThrow(
      'the rules must leave a token, got suppress and noRepeatNgram forbid all 1',
    );
  });
});
