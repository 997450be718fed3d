import { Rng } from '@ostinato/core';
import { describe, expect, it } from 'vitest';
import {
  addingProblem,
  copyTask,
  firstTokenRecall,
  parityTask,
  reverseTask,
  sortTask,
  type TokenBatch,
} from '../src/index.ts';

/** The rows of a batch as plain arrays. */
function rowsOf({ inputs, targets, shape: [batch, time] }: TokenBatch): { input: number[]; target: number[] }[] {
  return Array.from({ length: batch }, (_, b) => ({
    input: [...inputs.subarray(b * time, (b + 1) * time)],
    target: [...targets.subarray(b * time, (b + 1) * time)],
  }));
}

const makers: Record<string, (rng: Rng) => TokenBatch> = {
  copyTask: rng => copyTask(rng, { batch: 5, symbols: 3, delay: 4 }),
  firstTokenRecall: rng => firstTokenRecall(rng, { batch: 5, time: 7, alphabet: 4 }),
  parityTask: rng => parityTask(rng, { batch: 5, time: 9 }),
  reverseTask: rng => reverseTask(rng, { batch: 5, symbols: 4 }),
  sortTask: rng => sortTask(rng, { batch: 5, symbols: 4, alphabet: 3 }),
};

describe.each(Object.entries(makers))('%s', (_, make) => {
  it('is a function of the stream, with tokens inside the vocabulary', () => {
    const batch = make(new Rng(1));
    expect(make(new Rng(1))).toEqual(batch);
    expect(make(new Rng(2))).not.toEqual(batch);
    expect(batch.inputs.every(token => token >= 0 && token < batch.vocabularySize)).toBe(true);
    expect(batch.targets.every(token => token >= -1 && token < batch.vocabularySize)).toBe(true);
    expect(batch.inputs.length).toBe(batch.shape[0] * batch.shape[1]);
    expect(batch.targets.length).toBe(batch.inputs.length);
  });
});

describe('what is asked', () => {
  it('copy: the symbols again after the delay, from the step after the go signal', () => {
    const { shape, vocabularySize, ...batch } = copyTask(new Rng(1), { batch: 4, symbols: 3, delay: 2, alphabet: 5 });
    expect([shape, vocabularySize]).toEqual([[4, 8], 7]);
    for (const { input, target } of rowsOf({ ...batch, shape, vocabularySize })) {
      expect(input.slice(3)).toEqual([5, 6, 5, 5, 5]);
      expect(target).toEqual([-1, -1, -1, -1, -1, ...input.slice(0, 3)]);
    }
  });

  it('first token: at the last step only', () => {
    for (const { input, target } of rowsOf(makers['firstTokenRecall']!(new Rng(1)))) {
      expect(target).toEqual([...Array(6).fill(-1), input[0]]);
    }
  });

  it('parity: of the ones so far', () => {
    for (const { input, target } of rowsOf(makers['parityTask']!(new Rng(1)))) {
      expect(target).toEqual(input.map((_, t) => input.slice(0, t + 1).reduce((sum, bit) => sum + bit, 0) % 2));
    }
  });

  it('reverse: from the last symbol to the first', () => {
    for (const { input, target } of rowsOf(makers['reverseTask']!(new Rng(1)))) {
      expect(input.slice(4)).toEqual([8, 8, 8, 8]);
      expect(target).toEqual([-1, -1, -1, -1, ...input.slice(0, 4).reverse()]);
    }
  });

  it('sort: in ascending order', () => {
    for (const { input, target } of rowsOf(makers['sortTask']!(new Rng(1)))) {
      expect(target).toEqual([-1, -1, -1, -1, ...input.slice(0, 4).sort((a, b) => a - b)]);
    }
  });

  it('adding: two marks, one in each half, and their sum', () => {
    const { inputs, targets, shape } = addingProblem(new Rng(1), { batch: 200, time: 7 });
    expect(shape).toEqual([200, 7, 2]);
    for (let b = 0; b < 200; b++) {
      const steps = Array.from({ length: 7 }, (_, t) => inputs.subarray(2 * (7 * b + t), 2 * (7 * b + t) + 2));
      const marked = steps.flatMap(([, mark], t) => (mark === 1 ? [t] : []));
      expect(marked.length).toBe(2);
      expect(marked[0]).toBeLessThan(3);
      expect(marked[1]).toBeGreaterThanOrEqual(3);
      expect(targets[b]).toBeCloseTo(steps[marked[0]!]![0]! + steps[marked[1]!]![0]!, 6);
    }
    // 1/6 for the guess 1: the variance of a sum of two uniform numbers.
    expect(targets.reduce((sum, target) => sum + (target - 1) ** 2, 0) / 200).toBeCloseTo(1 / 6, 1);
  });
});

it('names the size that is wrong', () => {
  const rng = new Rng(0);
  expect(() => addingProblem(rng, { batch: 1, time: 1 })).toThrow('addingProblem: time must be an integer ≥ 2, got 1.');
  expect(() => reverseTask(rng, { batch: 1, symbols: 0 })).toThrow(
    'reverseTask: symbols must be an integer ≥ 1, got 0.',
  );
  expect(() => sortTask(rng, { batch: 1, symbols: 2, alphabet: 0 })).toThrow('sortTask: alphabet must be');
  expect(() => copyTask(rng, { batch: 0, symbols: 2, delay: 1 })).toThrow('copyTask: batch must be');
  expect(() => firstTokenRecall(rng, { batch: 1, time: 0 })).toThrow('firstTokenRecall: time must be');
  expect(() => parityTask(rng, { batch: 1, time: 1.5 })).toThrow('parityTask: time must be');
});
