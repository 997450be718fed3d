import { expectNoLeak } from '@ostinato/testing';
import { describe, expect, it } from 'vitest';
import {
  ArgumentError,
  dropoutMask,
  FormatError,
  normalQuantile,
  portableLog,
  Rng,
  type RngState,
  threefry,
} from '../src/index.ts';

const words = (rng: Rng, count: number): number[] => Array.from({ length: count }, () => rng.word());
const mean = (values: ArrayLike<number>): number => Array.from(values).reduce((sum, x) => sum + x, 0) / values.length;

describe('Rng', () => {
  it('draws the words of Threefry at (0, 0), (1, 0), … under its key', () => {
    const rng = new Rng(7);
    const expected = [0, 1, 2].flatMap(j => threefry([7, 0], j, 0));
    expect(words(rng, 6)).toEqual(expected);
    expect(rng.state()).toEqual({ key: [7, 0], position: 6 });
  });

  it('uses all 53 bits of a seed', () => {
    expect(new Rng(2 ** 32 + 5).key).toEqual([5, 1]);
    expect(new Rng(Number.MAX_SAFE_INTEGER).key).toEqual([2 ** 32 - 1, 2 ** 21 - 1]);
    for (const seed of [-1, 0.5, 2 ** 53, Number.NaN]) expect(() => new Rng(seed)).toThrow(ArgumentError);
  });

  it.each([0, 1, 2, 7, 8])('goes on from its state after %i words', position => {
    const rng = new Rng(3);
    words(rng, position);
    const state = JSON.parse(JSON.stringify(rng.state())) as RngState;
    expect(state.position).toBe(position);
    expect(words(Rng.fromState(state), 5)).toEqual(words(rng, 5));
  });

  it('goes on beyond 2³² pairs of words', () => {
    const position = 2 ** 34 + 1;
    const [, odd] = threefry([3, 0], 0, 2);
    expect(Rng.fromState({ key: [3, 0], position }).word()).toBe(odd);
  });

  it.each([
    null,
    undefined,
    {},
    { key: [1], position: 0 },
    { key: [1, -1], position: 0 },
    { key: [1, 2 ** 32], position: 0 },
    { key: [1, 2], position: 0.5 },
    { key: [1, 2], position: -1 },
  ])('turns %j down as a state', state => {
    expect(() => Rng.fromState(state as unknown as RngState)).toThrow(FormatError);
  });

  it('shares no word with the dropout mask of its key', () => {
    const rate = 0.5;
    const drawn = new Rng(7);
    const mask = dropoutMask(64, { rate, key: drawn.key });
    const own = words(drawn, 64).map(word => ((word >>> 8) / 2 ** 24 >= rate ? 2 : 0));
    expect([...mask]).not.toEqual(own);
    const agreeing = own.filter((value, i) => value === mask[i]).length;
    expect(Math.abs(agreeing - 32)).toBeLessThan(16); // four deviations of a fair coin
  });

  describe('split', () => {
    it('depends on key and label alone, and draws nothing', () => {
      const [fresh, used] = [new Rng(1), new Rng(1)];
      words(used, 11);
      expect(used.split('dropout').key).toEqual(fresh.split('dropout').key);
      expect(fresh.state().position).toBe(0);
      expect(used.state().position).toBe(11);
      expect(fresh.split('dropout').state().position).toBe(0);
    });

    it('gives every label a stream of its own', () => {
      const rng = new Rng(1);
      const labels = ['', 'a', 'b', 'ab', 'ba', '\u0000', '1', '𝄞', 0, 1, 2, 2 ** 32, 2 ** 32 + 1, 97];
      const keys = labels.map(label => String(rng.split(label).key));
      keys.push(String(rng.split('a').split('b').key), String(rng.split(1).split(2).key), String(rng.key));
      expect(new Set(keys).size).toBe(keys.length);
      expect(new Set([0, 1, 2].map(seed => String(new Rng(seed).split('a').key))).size).toBe(3);
    });

    it('gives streams that do not go together', () => {
      const rng = new Rng(5);
      const [a, b] = [rng.split(0), rng.split(1)];
      const products = Array.from({ length: 4000 }, () => (a.next() - 0.5) * (b.next() - 0.5));
      expect(Math.abs(mean(products))).toBeLessThan(4 / 12 / Math.sqrt(4000));
    });

    it.each([-1, 0.5, Number.NaN])('turns the number %d down', label => {
      expect(() => new Rng(0).split(label)).toThrow('Rng.split: a number label must be a non-negative safe integer');
    });
  });

  it('draws uniform numbers in [0, 1), with their moments', () => {
    const rng = new Rng(11);
    const values = Array.from({ length: 20_000 }, () => rng.next());
    expect(Math.min(...values)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...values)).toBeLessThan(1);
    expect(mean(values)).toBeCloseTo(1 / 2, 1.5);
    expect(mean(values.map(x => (x - 0.5) ** 2))).toBeCloseTo(1 / 12, 2);
  });

  it('fills ten equal bins equally: χ² below its 99.9 % quantile', () => {
    const rng = new Rng(12);
    const bins = new Array<number>(10).fill(0);
    for (let i = 0; i < 10_000; i++) bins[Math.floor(10 * rng.next())]!++;
    expect(bins.reduce((sum, n) => sum + (n - 1000) ** 2 / 1000, 0)).toBeLessThan(27.88); // 9 degrees of freedom
  });

  it('draws integers below their bound, each as often', () => {
    const rng = new Rng(13);
    const counts = new Array<number>(7).fill(0);
    for (let i = 0; i < 7000; i++) counts[rng.integer(7)]!++;
    expect(counts.length).toBe(7);
    expect(counts.reduce((sum, n) => sum + (n - 1000) ** 2 / 1000, 0)).toBeLessThan(22.46); // χ², 6 degrees of freedom
    expect(rng.integer(1)).toBe(0);
    expect(rng.integer(2 ** 32)).toBeLessThan(2 ** 32);
    for (const bound of [0, -1, 1.5, 2 ** 32 + 1]) expect(() => rng.integer(bound)).toThrow(ArgumentError);
  });

  it('draws permutations: every one of 3 things as often', () => {
    const rng = new Rng(14);
    expect([...rng.permutation(50)].sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i));
    expect([rng.permutation(0).length, rng.permutation(1)[0]]).toEqual([0, 0]);
    const counts = new Map<string, number>();
    for (let i = 0; i < 6000; i++) {
      const order = String(rng.permutation(3));
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(counts.size).toBe(6);
    const chi = [...counts.values()].reduce((sum, n) => sum + (n - 1000) ** 2 / 1000, 0);
    expect(chi).toBeLessThan(20.52); // 5 degrees of freedom
  });

  it('draws normal numbers with the first four moments of the normal distribution', () => {
    const rng = new Rng(15);
    const values = Array.from({ length: 40_000 }, () => rng.gaussian());
    const moment = (k: number): number => mean(values.map(x => x ** k));
    expect(Math.abs(moment(1))).toBeLessThan(4 / 200);
    expect(Math.abs(moment(2) - 1)).toBeLessThan((4 * Math.sqrt(2)) / 200);
    expect(Math.abs(moment(3))).toBeLessThan((4 * Math.sqrt(15)) / 200);
    expect(Math.abs(moment(4) - 3)).toBeLessThan((4 * Math.sqrt(96)) / 200);
  });

  it('makes float32 tensors of a shape, from low to high, or of a mean and deviation', () => {
    const uniform = new Rng(16).uniform([20, 50], -2, 6);
    expect([uniform.shape, uniform.dtype]).toEqual([[20, 50], 'float32']);
    const drawn = uniform.dataSync();
    expect(drawn.every(x => x >= -2 && x < 6)).toBe(true);
    expect(Math.abs(mean(drawn) - 2)).toBeLessThan((4 * 8) / Math.sqrt(12 * 1000));
    const normal = new Rng(17).normal([1000], 5, 0.1).dataSync();
    expect(Math.abs(mean(normal) - 5)).toBeLessThan(0.4 / Math.sqrt(1000));
    expect(mean(normal.map(x => (x - 5) ** 2))).toBeCloseTo(0.01, 2);
    expect(new Rng(0).uniform([]).shape).toEqual([]);
    expectNoLeak(() => new Rng(0).normal([3]));
  });

  it('never draws the upper end, which float32 may round to', () => {
    for (const [low, high] of [
      [0, 1],
      [1, 1.0000005],
      [-1, 0],
      [-3, -2.9999995],
      [16_777_215, 16_777_216],
      [0, 0.1],
    ] as const) {
      const drawn = new Rng(3).uniform([500], low, high).dataSync();
      expect(drawn.every(x => x >= low && x < high)).toBe(true);
    }
    expect(new Rng(3).uniform([2], 5, 5).dataSync()).toEqual(Float32Array.of(5, 5));
  });

  it('draws the same numbers as ever', () => {
    // Printed by this implementation, to notice when a change would break every seed.
    const rng = new Rng(42);
    expect([rng.gaussian(), rng.gaussian()]).toEqual([1.121904192075576, -0.49513191247617055]);
    expect([...new Rng(42).permutation(8)]).toEqual([7, 3, 0, 6, 2, 4, 5, 1]);
    expect(new Rng(42).split('weight').split(3).key).toEqual([2558997866, 2998822980]);
  });
});

describe('portableLog', () => {
  it('agrees with Math.log to a few units in the last place', () => {
    for (let exponent = -300; exponent <= 300; exponent += 7) {
      for (const mantissa of [1, 1.1, Math.SQRT2, 1.7, 1.999999]) {
        const x = mantissa * 10 ** exponent;
        expect(Math.abs(portableLog(x) - Math.log(x))).toBeLessThanOrEqual(
          8 * 2 ** -53 * Math.max(1, Math.abs(Math.log(x))),
        );
      }
    }
    expect(portableLog(1)).toBe(0);
    expect(portableLog(Number.MIN_VALUE)).toBeCloseTo(Math.log(Number.MIN_VALUE), 10);
  });

  it.each([0, -1, Infinity, Number.NaN])('throws for %d instead of running for ever', x => {
    expect(() => portableLog(x)).toThrow(ArgumentError);
  });
});

describe('normalQuantile', () => {
  // Python 3.11: statistics.NormalDist().inv_cdf(p)
  it.each([
    [0.5, 0],
    [0.8, 0.8416212336],
    [0.975, 1.9599639845],
    [0.995, 2.5758293035],
    [0.0013498980316300933, -3],
    [1e-6, -4.7534243088],
    [1e-12, -7.0344838253],
    [1e-20, -9.262340089],
  ])('of %d is %d', (p, z) => {
    expect(Math.abs(normalQuantile(p) - z)).toBeLessThan(2e-7 * Math.max(1, Math.abs(z)));
  });

  it('is antisymmetric about a half', () => {
    for (const p of [0.01, 0.2, 0.45, 0.49]) expect(normalQuantile(1 - p)).toBeCloseTo(-normalQuantile(p), 9);
  });

  it.each([0, 1, -0.1, 1.5, Number.NaN])('throws for %d', p => {
    expect(() => normalQuantile(p)).toThrow('normalQuantile: p must be a finite number > 0 < 1');
  });
});
