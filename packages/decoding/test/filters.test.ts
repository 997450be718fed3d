import { NonFiniteError } from '@ostinato/core';
import {
  blockRepeatedNgrams,
  chooseToken,
  filterLogits,
  keepMinP,
  keepTopK,
  keepTopP,
  keepTypical,
  logSoftmax,
  penalizeRepetition,
  scaleByTemperature,
  softmax,
  suppressTokens,
} from '@ostinato/decoding';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

const ln = (...probabilities: number[]): Float32Array => Float32Array.from(probabilities, Math.log);
/** Which tokens are left. */
const kept = (logits: Float32Array): number[] => [...logits.keys()].filter(token => logits[token]! > -Infinity);
const close = (got: ArrayLike<number>, want: readonly number[]): void => {
  expect(got).toHaveLength(want.length);
  for (const [i, value] of want.entries()) expect(got[i]).toBeCloseTo(value, 6);
};

const anyLogits = fc
  .array(
    fc.oneof(
      { weight: 6, arbitrary: fc.float({ min: -20, max: 20, noNaN: true }) },
      { weight: 1, arbitrary: fc.constant(-Infinity) },
    ),
    { minLength: 1, maxLength: 30 },
  )
  .filter(values => values.some(Number.isFinite))
  .map(values => Float32Array.from(values));

describe('softmax', () => {
  it('is safe from overflow', () => {
    close(softmax([1000, 1000, -Infinity]), [0.5, 0.5, 0]);
    close(softmax([-1000, -1000 + Math.log(3)]), [0.25, 0.75]);
    close(logSoftmax([Math.log(0.2), Math.log(0.8)]), [Math.log(0.2), Math.log(0.8)]);
  });

  it('refuses NaN, +Infinity and a row without possible tokens', () => {
    expect(() => softmax([0, Number.NaN])).toThrow(
      'softmax: logits must be finite, or -Infinity where a token is impossible, got NaN for token 1.',
    );
    expect(() => logSoftmax([Infinity])).toThrow('got Infinity for token 0');
    expect(() => softmax([-Infinity, -Infinity])).toThrow('at least one token must be possible, got none of 2');
  });
});

describe('filters', () => {
  it('temperature divides', () => {
    close(scaleByTemperature(Float32Array.of(1, -2, -Infinity), 0.5), [2, -4, -Infinity]);
    expect(() => scaleByTemperature(Float32Array.of(1), 0)).toThrow('temperature must be a finite number > 0, got 0');
  });

  it('top-k keeps k, and equals of the last', () => {
    expect(kept(keepTopK(ln(0.1, 0.4, 0.2, 0.3), 2))).toEqual([1, 3]);
    expect(kept(keepTopK(ln(0.25, 0.25, 0.25, 0.25), 2))).toEqual([0, 1, 2, 3]);
    expect(kept(keepTopK(ln(0.5, 0.5), 9))).toEqual([0, 1]);
    expect(() => keepTopK(ln(1), 0)).toThrow('topK must be an integer ≥ 1, got 0');
  });

  it('top-p keeps the token that crosses p', () => {
    const logits = ln(0.1, 0.4, 0.2, 0.3);
    expect(kept(keepTopP(logits, 0.39))).toEqual([1]);
    expect(kept(keepTopP(logits, 0.41))).toEqual([1, 3]);
    expect(kept(keepTopP(logits, 0.95))).toEqual([0, 1, 2, 3]);
    expect(kept(keepTopP(ln(0.25, 0.25, 0.25, 0.25), 0.3))).toEqual([0, 1]);
    expect(() => keepTopP(logits, 0)).toThrow('topP must be a finite number > 0 ≤ 1, got 0');
  });

  it('top-p of equal logits keeps the smallest set', () => {
    for (const size of [3, 5, 7, 10, 100, 1000]) {
      for (let count = 1; count < size; count++) {
        expect(kept(keepTopP(new Float32Array(size), count / size))).toHaveLength(count);
      }
    }
  });

  it('refuse NaN and +Infinity, whatever the option', () => {
    for (const bad of [Number.NaN, Infinity]) {
      const logits = Float32Array.of(0, bad, -Infinity);
      for (const filter of [
        () => scaleByTemperature(logits, 0.5),
        () => keepTopK(logits, 1),
        () => keepTopK(logits, 9),
        () => keepTopP(logits, 0.5),
        () => keepTopP(logits, 1),
        () => keepMinP(logits, 0.5),
        () => keepTypical(logits, 1),
        () => filterLogits(logits),
        () => chooseToken(logits, { temperature: 0 }),
        () => chooseToken(logits, { temperature: 0, suppress: [1] }),
      ]) {
        expect(filter).toThrow(NonFiniteError);
      }
    }
  });

  it('min-p compares with the most likely token', () => {
    expect(kept(keepMinP(ln(0.1, 0.4, 0.19, 0.31), 0.5))).toEqual([1, 3]);
    expect(kept(keepMinP(ln(0.1, 0.4, 0.2, 0.3), 1))).toEqual([1]);
  });

  it('typical keeps what is about as surprising as the entropy', () => {
    // H = 0.8·ln 1.25 + 2·0.1·ln 10 ≈ 0.639; surprises 0.223, 2.303, 2.303: the first is nearest.
    expect(kept(keepTypical(ln(0.8, 0.1, 0.1), 0.5))).toEqual([0]);
    // H = 0.5 ln 2 + 0.5 ln 20 ≈ 1.844; surprises 0.693 and 2.996: equally far, so the more frequent ones fill up to p by index.
    const logits = ln(0.5, ...Array<number>(10).fill(0.05));
    expect(kept(keepTypical(logits, 0.2)).length).toBeLessThanOrEqual(4);
  });

  it('compose in the order temperature, top-k, top-p, min-p, typical', () => {
    const logits = Float32Array.of(2.1, 0.3, -1, 1.5, 0.9, 1.4);
    const options = { temperature: 0.8, topK: 4, topP: 0.9, minP: 0.1, typicalP: 0.8 };
    const byHand = keepTypical(keepMinP(keepTopP(keepTopK(scaleByTemperature(logits, 0.8), 4), 0.9), 0.1), 0.8);
    expect(filterLogits(logits, options)).toEqual(byHand);
    expect(filterLogits(logits)).toEqual(logits);
  });

  it('never change their input, always keep the most likely token, and only ever take tokens away', () => {
    const options = fc.record(
      {
        topK: fc.integer({ min: 1, max: 40 }),
        topP: fc.double({ min: 0.001, max: 1, noNaN: true }),
        minP: fc.double({ min: 0, max: 1, noNaN: true }),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(anyLogits, options, (logits, chosen) => {
        const before = logits.slice();
        const filtered = filterLogits(logits, chosen);
        expect(logits).toEqual(before);
        expect(Math.max(...filtered)).toBe(Math.max(...logits));
        for (const token of kept(filtered)) expect(filtered[token]).toBe(logits[token]);
      }),
    );
  });

  it('top-p and typical keep at least p, and would not without the last token', () => {
    fc.assert(
      fc.property(anyLogits, fc.double({ min: 0.01, max: 0.99, noNaN: true }), (logits, p) => {
        const probabilities = softmax(logits);
        const total = (tokens: number[]): number => tokens.reduce((sum, token) => sum + probabilities[token]!, 0);
        for (const filter of [keepTopP, keepTypical]) expect(total(kept(filter(logits, p)))).toBeGreaterThan(p - 1e-9);
        const nucleus = kept(keepTopP(logits, p)).toSorted((a, b) => probabilities[b]! - probabilities[a]!);
        expect(total(nucleus.slice(0, -1))).toBeLessThan(p + 1e-9);
      }),
    );
  });
});

describe('penalties', () => {
  it('repetition divides positive and multiplies negative logits, once a token', () => {
    close(penalizeRepetition(Float32Array.of(2, -2, 1, 0), [0, 1, 0, 3], 2), [1, -4, 1, 0]);
    expect(() => penalizeRepetition(Float32Array.of(1), [1], 2)).toThrow(
      'a token must be in the vocabulary, expected an integer in 0 … 0, got 1',
    );
  });

  it('n-grams: what followed the last n−1 tokens is impossible', () => {
    const blocked = (previous: number[], n: number): number[] => {
      const logits = blockRepeatedNgrams(new Float32Array(6), previous, n);
      return [...logits.keys()].filter(token => logits[token] === -Infinity);
    };
    expect(blocked([3, 1, 2, 3, 1, 4, 3, 1], 3)).toEqual([2, 4]);
    expect(blocked([3, 1, 2, 3, 1, 4, 3, 1], 1)).toEqual([1, 2, 3, 4]);
    expect(blocked([3, 1], 3)).toEqual([]);
    expect(blocked([], 2)).toEqual([]);
    expect(blocked([5, 5], 2)).toEqual([5]);
  });

  it('n-grams: a sequence that follows the rule repeats none', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 2 }), { maxLength: 12 }),
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 0, max: 2 }),
        (previous, n, next) => {
          const grams = (tokens: number[]): string[] =>
            tokens.slice(n - 1).map((_, i) => tokens.slice(i, i + n).join());
          const repeats = grams(previous).includes([...previous, next].slice(-n).join()) && previous.length >= n - 1;
          const impossible = blockRepeatedNgrams(new Float32Array(3), previous, n)[next] === -Infinity;
          expect(impossible).toBe(repeats);
        },
      ),
    );
  });

  it('suppressed tokens are impossible', () => {
    expect(kept(suppressTokens(new Float32Array(4), [1, 3]))).toEqual([0, 2]);
  });
});
