// The cache's kernel against the reference, step after step: rows of different lengths, several steps at once, bias and window; and
// that what two states share is never seen by both.
import '@ostinato/backend-cpu';
import { Rng } from '@ostinato/core';
import { type AttentionCache, cachedAttention, packedAttention } from '@ostinato/ops';
import { allClose, expectNoLeak, gradCheck } from '@ostinato/testing';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { runs, size } from './compare.ts';

const [batch, width, maximumTime] = [3, 5, 9];

/** The outputs of steps of 3, 1, 1 and 2, behind `starts` steps in each row that are read first, one row at a time. */
function generated(numKeyHeads: number, group: number, options: { window?: number; biased: boolean; ragged: boolean }) {
  const numHeads = numKeyHeads * group;
  const heads = { numHeads, numKeyHeads, ...(options.window ? { window: options.window } : {}) };
  return tf.tidy(() => {
    const rng = new Rng(1);
    const draw = (name: string, shape: number[]): tf.Tensor => rng.split(name).normal(shape);
    const zeros = (): tf.Tensor => tf.zeros([batch, numKeyHeads, maximumTime, width]);
    let cache: AttentionCache = { key: zeros(), value: zeros() };
    const lengths = options.ragged ? [0, 2, 1] : [1, 1, 1];
    // What is read first fills the longest; shorter rows are written over.
    const first = draw('first', [batch, 2, (numHeads + 2 * numKeyHeads) * width]);
    cache = cachedAttention({ packed: first, cache, lengths: tf.zeros([batch], 'int32') }, heads).cache;
    const outputs: tf.Tensor[] = [];
    for (const [i, time] of [3, 1, 1, 2].entries()) {
      const packed = draw(`step ${i}`, [batch, time, (numHeads + 2 * numKeyHeads) * width]);
      const bias = options.biased ? draw(`bias ${i}`, [batch, 1, time, maximumTime]) : undefined;
      const result = cachedAttention({ packed, cache, lengths: tf.tensor1d(lengths, 'int32'), bias }, heads);
      outputs.push(result.output);
      cache = result.cache;
      for (let row = 0; row < batch; row++) lengths[row]! += time;
    }
    return outputs.map(output => output.dataSync().slice());
  });
}

afterEach(() => tf.setBackend('cpu'));

describe('cachedAttention', () => {
  it('agrees with the reference', async () => {
    const cases = fc.tuple(size(2), size(3), fc.option(fc.integer({ min: 1, max: 4 })), fc.boolean(), fc.boolean());
    await fc.assert(
      fc.asyncProperty(cases, async ([numKeyHeads, group, window, biased, ragged]) => {
        const options = { ...(window ? { window } : {}), biased, ragged };
        await tf.setBackend('cpu');
        const want = generated(numKeyHeads, group, options);
        await tf.setBackend('ostinato-cpu');
        const got = generated(numKeyHeads, group, options);
        want.forEach((values, i) => {
          expect(allClose(got[i]!, values)).toMatchObject({ close: true });
        });
      }),
      { ...runs, numRuns: 30 },
    );
  });

  it('writes into the memory of the cache once, and copies for a second future of one past', async () => {
    await tf.setBackend('ostinato-cpu');
    tf.tidy(() => {
      const heads = { numHeads: 1 };
      const rows = new Rng(2).normal([1, 5, 3 * width]);
      const row = (t: number): tf.Tensor => tf.slice(rows, [0, t, 0], [1, 1, 3 * width]);
      const at = (t: number): tf.Tensor => tf.tensor1d([t], 'int32');
      const empty = { key: tf.zeros([1, 1, 4, width]), value: tf.zeros([1, 1, 4, width]) };
      const past = cachedAttention({ packed: row(0), cache: empty, lengths: at(0) }, heads);
      expect(empty.key.dataSync().every(value => value === 0)).toBe(true);
      const one = cachedAttention({ packed: row(1), cache: past.cache, lengths: at(1) }, heads);
      expect(one.cache.key.dataId).toBe(past.cache.key.dataId);
      const other = cachedAttention({ packed: row(2), cache: past.cache, lengths: at(1) }, heads);
      expect(other.cache.key.dataId).not.toBe(past.cache.key.dataId);
      const both = [one, other].map(
        ({ cache }) => cachedAttention({ packed: row(3), cache, lengths: at(2) }, heads).output,
      );
      both.forEach((output, i) => {
        const whole = packedAttention(
          { packed: tf.concat([row(0), row(1 + i), row(3)], 1) },
          { ...heads, causal: true },
        );
        expect(allClose(output, tf.slice(whole, [0, 2, 0], [1, 1, width]))).toMatchObject({ close: true });
      });
    });
  });

  it('leaks nothing, and keeps a shared memory until its last tensor is gone', async () => {
    await tf.setBackend('ostinato-cpu');
    const packed = new Rng(2).normal([1, 1, 3 * width]);
    const [zero, one] = [0, 1].map(t => tf.tensor1d([t], 'int32'));
    expectNoLeak(() => {
      const empty = { key: tf.zeros([1, 1, 4, width]), value: tf.zeros([1, 1, 4, width]) };
      const past = cachedAttention({ packed, cache: empty, lengths: zero! }, { numHeads: 1 });
      const next = cachedAttention({ packed, cache: past.cache, lengths: one! }, { numHeads: 1 });
      const before = next.cache.key.dataSync().slice();
      tf.dispose([empty.key, empty.value, past.output, past.cache.key, past.cache.value, next.output]);
      expect(next.cache.key.dataSync()).toEqual(before);
      return [next.cache.key, next.cache.value];
    });
  });
});

describe('packedAttention', () => {
  it('is attention on its parts, with their gradients', async () => {
    await tf.setBackend('ostinato-cpu');
    const packed = new Rng(2).normal([2, 6, 8 * 3]);
    const options = { numHeads: 4, numKeyHeads: 2, causal: true };
    const run = (x: tf.Tensor): tf.Tensor =>
      packedAttention({ packed: x, keyLengths: tf.tensor1d([6, 4], 'int32') }, options);
    gradCheck(run, [packed]);
    const fast = run(packed).dataSync();
    await tf.setBackend('cpu');
    expect(allClose(fast, run(packed))).toMatchObject({ close: true });
    expectNoLeak(() => tf.tidy(() => run(packed)));
    expect(() => packedAttention({ packed }, { numHeads: 5 })).toThrow(
      'packed must be [batch, time, (5 + 2 · 5) width], got [2, 6, 24]',
    );
  });
});
