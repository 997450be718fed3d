import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { smooth, sparkline } from '../src/index.ts';

describe('smooth', () => {
  it('averages both sides by distance', () => {
    // s = ½: (2 + ½·4) / (1 + ½) = 8/3; (½·2 + 4) / (1 + ½) = 10/3.
    expect(smooth([2, 4], 0.5)).toEqual([8 / 3, 10 / 3]);
  });

  it('does not lag behind a slope', () => {
    const slope = Array.from({ length: 101 }, (_, t) => 100 - t);
    expect(smooth(slope, 0.8)[50]).toBeCloseTo(50, 3);
  });

  it('leaves values as they are at 0, constants as they are at any smoothing', () => {
    expect(smooth([3, 1, 2], 0)).toEqual([3, 1, 2]);
    fc.assert(
      fc.property(fc.double({ min: 0, max: 0.999, noNaN: true }), smoothing => {
        for (const value of smooth([7, 7, 7, 7], smoothing)) expect(value).toBeCloseTo(7, 6);
      }),
    );
  });

  it('passes NaN through without spoiling what follows', () => {
    expect(smooth([2, Number.NaN, 4], 0.5)).toEqual([8 / 3, Number.NaN, 10 / 3]);
  });

  it('refuses a smoothing of 1', () => {
    expect(() => smooth([1], 1)).toThrow('smooth: smoothing must be a finite number ≥ 0 < 1, got 1.');
  });
});

describe('sparkline', () => {
  it('maps the lowest to ▁ and the highest to █', () => {
    expect(sparkline([0, 1, 2, 3, 4, 5, 6, 7])).toBe('▁▂▃▄▅▆▇█');
  });

  it('averages groups when there are more values than columns', () => {
    expect(sparkline([7, 7, 0, 0], { width: 2 })).toBe('█▁');
  });

  it('handles nothing, constants and NaN', () => {
    expect(sparkline([])).toBe('');
    expect(sparkline([3, 3])).toBe('▁▁');
    expect(sparkline([0, Number.NaN, 1])).toBe('▁ █');
    expect(() => sparkline([1], { width: 0 })).toThrow('width must be an integer ≥ 1');
  });
});
