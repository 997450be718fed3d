import { Rng } from '@ostinato/core';
import { expectNoLeak, gradCheck } from '@ostinato/testing';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { MultiHeadAttention, SelfAttention } from '../src/index.ts';
import { checkParameters, expectClose, part, random } from './helpers.ts';

const [size, numHeads] = [8, 4];
const input = tf.keep(random([2, 5, size]));
const kinds = {
  plain: {},
  grouped: { numKeyHeads: 2 },
  'one key head, wide': { numKeyHeads: 1, headSize: 6 },
  rotary: { rotary: { layout: 'interleaved' as const } },
  'norms and rotary, grouped': { numKeyHeads: 2, queryKeyNorm: true, rotary: {} },
};

describe.each(Object.entries(kinds))('SelfAttention, %s', (_name, options) => {
  const layer = new SelfAttention({ size, numHeads, ...options, rng: new Rng(1) });

  it('is the same with weights returned, and the weights sum to 1', () => {
    const { output, weights } = layer.withWeights(input, { causal: true });
    expectClose(layer.call(input, { causal: true }), output);
    expect(weights.shape).toEqual([2, numHeads, 5, 5]);
    expectClose(tf.sum(weights, -1), tf.ones([2, numHeads, 5]));
    expect(tf.sum(tf.abs(tf.slice(weights, [0, 0, 0, 1], [-1, -1, 1, -1]))).dataSync()[0]).toBe(0);
  });

  it('has the gradients that finite differences have', () => {
    gradCheck(x => layer.call(x, { causal: true }), [input], { elements: 6 });
    checkParameters(layer, () => layer.call(input, { keyLengths: [5, 3] }));
  });

  it('goes on step by step as it does at once, rows of different lengths as if each were alone', () => {
    const whole = layer.call(input, { causal: true });
    let cache = layer.initialCache(2, 6);
    const outputs: tf.Tensor[] = [];
    for (const [from, count] of [
      [0, 2],
      [2, 1],
      [3, 2],
    ] as const) {
      const step = layer.step(part(input, from, count), cache, { lengths: tf.fill([2], from, 'int32') });
      outputs.push(step.output);
      cache = step.cache;
    }
    expectClose(tf.concat(outputs, 1), whole);
    // Row 0 goes on behind 2 steps, row 1 behind 4.
    const lengths = tf.tensor1d([2, 4], 'int32');
    const next = tf.concat([part(input, 2, 1, 0), part(input, 4, 1, 1)], 0);
    const { output } = layer.step(next, cache, { lengths });
    expectClose(output, tf.concat([part(whole, 2, 1, 0), part(whole, 4, 1, 1)], 0));
  });

  it('leaks nothing', () => {
    expectNoLeak(() => [layer.call(input), layer.withWeights(input)]);
    expectNoLeak(() => {
      const cache = layer.initialCache(2, 5);
      const lengths = tf.zeros([2], 'int32');
      return [cache, lengths, layer.step(input, cache, { lengths })];
    });
  });
});

describe('masks', () => {
  const layer = new SelfAttention({ size, numHeads, rng: new Rng(1) });
  const ages = tf.keep(tf.sub(tf.reshape(tf.range(0, 5), [5, 1]), tf.range(0, 5))); // [Tq, Tk]

  it('lengths hide what lies behind, NaN as well', () => {
    const spoiled = tf.concat([part(input, 0, 3), tf.fill([2, 2, size], NaN)], 1);
    expectClose(part(layer.call(spoiled, { keyLengths: [3, 3] }), 0, 3), layer.call(part(input, 0, 3)));
  });

  it('a window is a band, one-sided with causal', () => {
    const band = tf.less(tf.abs(ages), 2);
    expectClose(layer.call(input, { window: 2 }), layer.call(input, { mask: band }));
    const past = tf.logicalAnd(tf.less(ages, 2), tf.greaterEqual(ages, 0));
    expectClose(layer.call(input, { window: 2, causal: true }), layer.call(input, { mask: past }));
    let cache = layer.initialCache(2, 5);
    for (let t = 0; t < 5; t++) {
      const step = layer.step(part(input, t, 1), cache, { lengths: tf.fill([2], t, 'int32'), window: 2 });
      cache = step.cache;
      expectClose(step.output, part(layer.call(input, { mask: past }), t, 1));
    }
  });

  it('a bias is added, with a gradient, and all masks apply together', () => {
    const bias = random([numHeads, 5, 5], 3);
    gradCheck(b => layer.call(input, { bias: b, causal: true, keyLengths: [5, 4] }), [bias], { elements: 6 });
    const hidden = tf.where(tf.greaterEqual(ages, 0), 0, -Infinity);
    expectClose(layer.call(input, { bias, causal: true }), layer.call(input, { bias: tf.add(bias, hidden) }));
  });

  it('says what does not fit', () => {
    const where = 'SelfAttention.call: ';
    expect(() => layer.call(input, { mask: tf.ones([5, 5]) })).toThrow(`${where}mask must have dtype bool`);
    expect(() => layer.call(input, { keyLengths: [1] })).toThrow(
      `${where}keyLengths must be [batch], expected [2], got [1]`,
    );
    expect(() => layer.call(input, { window: 0 })).toThrow(`${where}window must be an integer ≥ 1, got 0`);
    expect(() => layer.call(tf.zeros([2, 5, 7]))).toThrow(
      `${where}input must be [batch, time, size], expected [?, ?, 8]`,
    );
    expect(() => new SelfAttention({ size, numHeads, numKeyHeads: 3 })).toThrow(
      'numHeads must be a multiple of numKeyHeads, got 4 and 3',
    );
    expect(() => new SelfAttention({ size: 9, numHeads })).toThrow(
      'size must be a multiple of numHeads, unless headSize is given, got 9 and 4',
    );
    const full = layer.initialCache(2, 2);
    expect(() => layer.step(part(input, 0, 1), full, { lengths: tf.fill([2], 2, 'int32') })).toThrow(
      'lengths must be in 0 … 1, got 2',
    );
  });
});

describe('the cache', () => {
  it('that went in is what it was: two futures of one past do not meet', () => {
    const layer = new SelfAttention({ size, numHeads, rng: new Rng(1) });
    const past = layer.step(part(input, 0, 2), layer.initialCache(2, 4), { lengths: tf.zeros([2], 'int32') });
    const lengths = tf.fill([2], 2, 'int32');
    const [a, b] = [part(input, 2, 1), part(input, 4, 1)];
    const [first, second] = [layer.step(a, past.cache, { lengths }), layer.step(b, past.cache, { lengths })];
    const again = layer.step(a, past.cache, { lengths });
    expectClose(again.output, first.output);
    const more = tf.fill([2], 3, 'int32');
    const next = part(input, 3, 1);
    const whole = layer.call(tf.concat([part(input, 0, 2), b, next], 1), { causal: true });
    expectClose(layer.step(next, second.cache, { lengths: more }).output, part(whole, 3, 1));
    const other = layer.call(part(input, 0, 4), { causal: true });
    expectClose(layer.step(next, first.cache, { lengths: more }).output, part(other, 3, 1));
  });
});

describe('dropout', () => {
  const layer = new SelfAttention({ size, numHeads, dropout: 0.5, rng: new Rng(1) });

  it('is that of the rng, in training alone', () => {
    const training = { training: true, rng: new Rng(5) };
    const dropped = layer.call(input, training);
    expectClose(layer.call(input, training), dropped);
    expect(tf.max(tf.abs(tf.sub(dropped, layer.call(input)))).dataSync()[0]).toBeGreaterThan(1e-3);
    expect(() => layer.call(input, { training: true })).toThrow(
      'SelfAttention.call: training with dropout needs an rng',
    );
  });
});

describe('MultiHeadAttention', () => {
  const layer = new MultiHeadAttention({
    size,
    numHeads,
    numKeyHeads: 2,
    keySize: 5,
    valueSize: 3,
    queryKeyNorm: true,
  });
  const [key, value] = [random([2, 6, 5], 2), random([2, 6, 3], 3)].map(tf.keep) as [tf.Tensor, tf.Tensor];

  it('attends to keys and values of other widths, projected before or not', () => {
    const options = { keyLengths: [6, 2] };
    const { output, weights } = layer.withWeights({ query: input, key, value }, options);
    expect(weights.shape).toEqual([2, numHeads, 5, 6]);
    expectClose(layer.call({ query: input, key, value }, options), output);
    expectClose(layer.attend(input, layer.project(key, value), options), output);
  });

  it('has the gradients that finite differences have, and leaks nothing', () => {
    gradCheck((q, k, v) => layer.call({ query: q, key: k!, value: v! }), [input, key, value], { elements: 4 });
    checkParameters(layer, () => layer.call({ query: input, key, value }));
    expectNoLeak(() => layer.withWeights({ query: input, key, value }));
  });
});
