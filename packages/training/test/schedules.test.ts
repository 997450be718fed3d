import { ArgumentError, FormatError } from '@ostinato/core';
import {
  constant,
  cosine,
  cosineWarmRestarts,
  cyclic,
  exponential,
  inverseSquareRoot,
  linear,
  multiStep,
  noam,
  oneCycle,
  Plateau,
  polynomial,
  type Schedule,
  stepDecay,
  warmup,
} from '@ostinato/training';
import { describe, expect, it } from 'vitest';

// The goldens of PyTorch, Hugging Face, fairseq and nanoGPT (tests/goldens) have 40 values of each; here are the corners.
const values = (schedule: Schedule, ...steps: number[]): number[] =>
  steps.map(step => Math.round(schedule(step) * 1e6) / 1e6);

describe('schedules', () => {
  it.each<[string, Schedule, number[], number[]]>([
    ['constant', constant(0.3), [0, 99], [0.3, 0.3]],
    ['linear', linear({ from: 0, to: 1, steps: 4 }), [0, 1, 4, 9], [0, 0.25, 1, 1]],
    ['stepDecay', stepDecay({ rate: 1, every: 2, factor: 0.5 }), [1, 2, 3, 4], [1, 0.5, 0.5, 0.25]],
    ['multiStep', multiStep({ rate: 1, milestones: [2, 5], factor: 0.1 }), [1, 2, 4, 5], [1, 0.1, 0.1, 0.01]],
    ['exponential', exponential({ rate: 1, factor: 0.5 }), [0, 3], [1, 0.125]],
    ['cosine, hold', cosine({ rate: 1, steps: 10, minimum: 0.5 }), [0, 5, 10, 15, 20], [1, 0.75, 0.5, 0.5, 0.5]],
    ['cosine, rise', cosine({ rate: 1, steps: 10, afterwards: 'rise' }), [10, 15, 20], [0, 0.5, 1]],
    [
      'restarts',
      cosineWarmRestarts({ rate: 1, period: 2, multiplier: 2 }),
      [0, 1, 2, 4, 6, 14],
      [1, 0.5, 1, 0.5, 1, 1],
    ],
    ['equal restarts', cosineWarmRestarts({ rate: 1, period: 2 }), [0, 1, 2, 1e9 + 1], [1, 0.5, 1, 0.5]],
    ['polynomial', polynomial({ rate: 1, steps: 4, power: 2 }), [0, 2, 4, 9], [1, 0.25, 0, 0]],
    ['inverse root', inverseSquareRoot({ rate: 1, warmup: 4 }), [0, 3, 15], [0.25, 1, 0.5]],
    ['noam', noam({ size: 4, warmup: 4 }), [0, 3, 15], [0.0625, 0.25, 0.125]],
    ['oneCycle', oneCycle({ peak: 1, steps: 10, riseFraction: 0.5 }), [0, 4, 9, 99], [0.04, 1, 0.000004, 0.000004]],
    ['oneCycle that rises in no time', oneCycle({ peak: 1, steps: 10, riseFraction: 0.1 }), [0, 9], [1, 0.000004]],
    ['cyclic', cyclic({ low: 0, high: 1, rise: 2, fall: 4 }), [0, 1, 2, 4, 6, 8], [0, 0.5, 1, 0.5, 0, 1]],
    ['warmup', warmup(3, constant(1)), [0, 1, 2, 3], [0.25, 0.5, 0.75, 1]],
    ['warmup from 0', warmup(4, constant(1), { offset: 0 }), [0, 1, 4], [0, 0.25, 1]],
    ['no warmup', warmup(0, constant(1)), [0], [1]],
  ])('%s', (_, schedule, steps, want) => {
    expect(values(schedule, ...steps)).toEqual(want);
  });

  it.each([
    () => linear({ from: 0, to: 1, steps: 0 }),
    () => cosine({ rate: 1, steps: 1.5 }),
    () => cosineWarmRestarts({ rate: 1, period: 1, multiplier: 0 }),
    () => oneCycle({ peak: 1, steps: 10, riseFraction: 0.6, threePhases: true }),
    () => warmup(-1, constant(1)),
    () => constant(Number.NaN),
    () => new Plateau({ rate: 1, mode: 'maximum' as 'max' }),
    () => new Plateau({ rate: 1, thresholdMode: 'rel' as 'relative' }),
    () => new Plateau({ rate: 1, threshold: Number.NaN }),
  ])('refuses %s', make => {
    expect(make).toThrow(ArgumentError);
  });
});

describe('Plateau', () => {
  it('falls when patience is over, and goes on from its state', () => {
    const make = (): Plateau => new Plateau({ rate: 1, factor: 0.5, patience: 1, cooldown: 1, minimum: 0.2 });
    const metrics = [5, 4, 4, 4, 4, Number.NaN, 4, 4, 4, 4, 4, 4];
    const rates = (plateau: Plateau, from: number, to: number): number[] =>
      metrics.slice(from, to).map(metric => {
        plateau.observe(metric);
        return plateau.schedule(0);
      });
    const whole = rates(make(), 0, 12);
    expect(whole).toEqual([1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.2, 0.2, 0.2]);
    for (let cut = 0; cut <= 12; cut++) {
      const first = make();
      rates(first, 0, cut);
      const second = make();
      second.restore(JSON.parse(JSON.stringify(first.state())));
      expect(rates(second, cut, 12)).toEqual(whole.slice(cut));
    }
  });

  it('starts from an infinite loss like PyTorch, and keeps an infinite best through JSON', () => {
    for (const thresholdMode of ['relative', 'absolute'] as const) {
      const plateau = new Plateau({ rate: 1, factor: 0.5, patience: 1, thresholdMode });
      const observe = (metric: number): [number | string | null, number] => {
        plateau.observe(metric);
        plateau.restore(JSON.parse(JSON.stringify(plateau.state())));
        const { best, badMeasurements } = plateau.state();
        return [best, badMeasurements];
      };
      expect(observe(Infinity)).toEqual([null, 1]);
      expect(observe(5)).toEqual([5, 0]);
      expect(observe(4)).toEqual([4, 0]);
      expect(observe(-Infinity)).toEqual(['-Infinity', 0]);
      expect(observe(-1e30)).toEqual(['-Infinity', 1]);
    }
    const rising = new Plateau({ rate: 1, mode: 'max' });
    for (const metric of [-Infinity, -5, -4]) rising.observe(metric);
    expect(rising.state()).toMatchObject({ best: -4, badMeasurements: 0 });
  });

  it('refuses what is no state', () => {
    const plateau = new Plateau({ rate: 1 });
    expect(() => plateau.restore({ rate: 1 } as never)).toThrow(FormatError);
    expect(() => plateau.restore(null as never)).toThrow(FormatError);
    expect(plateau.schedule(0)).toBe(1);
  });
});
