import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  bitsPerCharacter,
  bitsPerToken,
  natsFromBits,
  natsFromBitsPerCharacter,
  natsFromPerplexity,
  perplexity,
  TokenLossMean,
} from '../src/index.ts';

describe('units of a loss', () => {
  it('agrees on a uniform choice among 8 tokens: ln 8 nats, 3 bits, perplexity 8', () => {
    expect(perplexity(Math.log(8))).toBeCloseTo(8, 12);
    expect(bitsPerToken(Math.log(8))).toBeCloseTo(3, 12);
    expect(natsFromPerplexity(8)).toBeCloseTo(Math.log(8), 12);
    expect(natsFromBits(3)).toBeCloseTo(Math.log(8), 12);
    // 100 tokens of 3 bits over 400 characters.
    expect(bitsPerCharacter(Math.log(8), { tokens: 100, characters: 400 })).toBeCloseTo(0.75, 12);
  });

  it('goes there and back', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 30, noNaN: true }),
        fc.integer({ min: 1, max: 1e6 }),
        fc.integer({ min: 1, max: 1e6 }),
        (nats, tokens, characters) => {
          const size = { tokens, characters };
          expect(natsFromPerplexity(perplexity(nats))).toBeCloseTo(nats, 9);
          expect(natsFromBits(bitsPerToken(nats))).toBeCloseTo(nats, 9);
          expect(natsFromBitsPerCharacter(bitsPerCharacter(nats, size), size)).toBeCloseTo(nats, 9);
        },
      ),
    );
  });

  it.each([
    [() => perplexity(-1), 'perplexity: nats must be a finite number ≥ 0, got -1.'],
    [() => perplexity(Number.NaN), 'got NaN.'],
    [() => natsFromPerplexity(0.5), 'perplexity must be a finite number ≥ 1, got 0.5.'],
    [() => bitsPerToken(Number.POSITIVE_INFINITY), 'got Infinity.'],
    [() => natsFromBits(-0.1), 'bits must be'],
    [() => bitsPerCharacter(1, { tokens: 0, characters: 5 }), 'tokens must be an integer ≥ 1, got 0.'],
    [() => natsFromBitsPerCharacter(1, { tokens: 5, characters: 1.5 }), 'characters must be an integer'],
  ])('refuses what is no loss: %s', (call, message) => {
    expect(call).toThrow(message);
  });
});

describe('TokenLossMean', () => {
  it('weighs batches by their tokens', () => {
    const mean = new TokenLossMean();
    mean.add(2, 30);
    mean.add(5, 10);
    mean.add(Number.NaN, 0);
    expect(mean.mean).toBe((2 * 30 + 5 * 10) / 40);
    expect(mean.tokens).toBe(40);
  });

  it('does not lose small losses beside large ones', () => {
    const mean = new TokenLossMean();
    mean.add(1e16, 1);
    for (let i = 0; i < 10; i++) mean.add(1, 1);
    mean.add(-1e16, 1);
    expect(mean.mean * mean.tokens).toBeCloseTo(10, 6);
  });

  it('refuses NaN and stays as it was, and has no mean of nothing', () => {
    const mean = new TokenLossMean();
    expect(() => mean.mean).toThrow('TokenLossMean.mean: there must be at least one token, got none.');
    mean.add(1, 1);
    expect(() => mean.add(Number.NaN, 3)).toThrow('meanLoss must be a finite number, got NaN.');
    expect(() => mean.add(1, -1)).toThrow('tokens must be an integer ≥ 0, got -1.');
    expect(mean.mean).toBe(1);
  });
});
