import { Rng } from '@ostinato/core';
import { expectNoLeak, gradCheck } from '@ostinato/testing';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import {
  dropoutMask,
  type ScaledDotProductAttentionArguments,
  type ScaledDotProductAttentionOptions,
  scaledDotProductAttention,
} from '../src/index.ts';
import { expectClose, random } from './plain.ts';

interface Sizes {
  readonly batch: number;
  readonly queryHeads: number;
  readonly keyHeads: number;
  readonly queryTime: number;
  readonly keyTime: number;
  readonly width: number;
  readonly valueWidth: number;
}

interface Case extends Sizes {
  readonly bias?: readonly number[];
  readonly lengths?: readonly number[];
  readonly options?: ScaledDotProductAttentionOptions;
}

const sizes: Sizes = { batch: 2, queryHeads: 4, keyHeads: 2, queryTime: 3, keyTime: 5, width: 3, valueWidth: 2 };
const { key: dropoutKey } = new Rng(3).split('dropout');

const cases: readonly (readonly [string, Case])[] = [
  ['grouped heads', sizes],
  [
    'one of everything',
    { ...sizes, batch: 1, queryHeads: 1, keyHeads: 1, queryTime: 1, keyTime: 1, width: 1, valueWidth: 1 },
  ],
  ['one key head', { ...sizes, keyHeads: 1 }],
  ['a scale', { ...sizes, options: { scale: 0.3 } }],
  ['causal, as many keys as queries', { ...sizes, keyTime: 3, options: { causal: true } }],
  ['causal, after a cache', { ...sizes, options: { causal: true, causalOffset: 2 } }],
  ['causal, queries before the first key', { ...sizes, options: { causal: true, causalOffset: -2 } }],
  ['lengths 0 to T', { ...sizes, batch: 4, lengths: [2, 0, 5, 1] }],
  ['a bias for all', { ...sizes, bias: [2, 4, 3, 5] }],
  ['a bias of queries and keys', { ...sizes, bias: [3, 5] }],
  ['a bias of heads and keys', { ...sizes, bias: [4, 1, 5] }],
  ['a bias of rows and keys', { ...sizes, bias: [2, 1, 1, 5] }],
  ['dropout', { ...sizes, options: { dropout: { rate: 0.4, key: dropoutKey } } }],
  [
    'all of these',
    {
      ...sizes,
      bias: [1, 4, 3, 5],
      lengths: [3, 4],
      options: { scale: 0.5, causal: true, causalOffset: 1, dropout: { rate: 0.2, key: dropoutKey } },
    },
  ],
];

type Given = { query: tf.Tensor; key: tf.Tensor; value: tf.Tensor; bias?: tf.Tensor };

function given({ batch, queryHeads, keyHeads, queryTime, keyTime, width, valueWidth, bias }: Case): Given {
  return {
    query: random([batch, queryHeads, queryTime, width], 'query'),
    key: random([batch, keyHeads, keyTime, width], 'key'),
    value: random([batch, keyHeads, keyTime, valueWidth], 'value'),
    ...(bias ? { bias: random(bias, 'bias') } : {}),
  };
}

const lengthsOf = ({ lengths }: Case): tf.Tensor | undefined => lengths && tf.tensor1d([...lengths], 'int32');

type Heads = number[][][][];

/** Weights and outputs by their definition, in float64, one query at a time. */
function plain(of: Case, { query, key, value, bias }: Given): { output: Heads; weights: Heads } {
  const { scale = 1 / Math.sqrt(of.width), causal = false, causalOffset = 0, dropout } = of.options ?? {};
  const [q, k, v] = [query, key, value].map(tensor => tensor.arraySync() as Heads) as [Heads, Heads, Heads];
  const all = [of.batch, of.queryHeads, of.queryTime, of.keyTime];
  const biases = bias && (tf.broadcastTo(bias, all).arraySync() as Heads);
  const mask =
    dropout &&
    dropoutMask(
      all.reduce((a, b) => a * b),
      dropout,
    );
  const output: Heads = [];
  const weights = q.map((heads, b) =>
    heads.map((queries, h) => {
      const shared = Math.floor((h * of.keyHeads) / of.queryHeads);
      return queries.map((row, t) => {
        const end = Math.min(of.lengths?.[b] ?? of.keyTime, causal ? t + causalOffset + 1 : of.keyTime);
        const added = biases?.[b]?.[h]?.[t];
        const exponentials = k[b]![shared]!.map((other, s) => {
          const product = row.reduce((sum, x, i) => sum + x * other[i]!, 0);
          return s < end ? Math.exp(scale * product + (added?.[s] ?? 0)) : 0;
        });
        const total = exponentials.reduce((sum, x) => sum + x, 0);
        const probabilities = exponentials.map(x => (total > 0 ? x / total : 0));
        const first = ((b * of.queryHeads + h) * of.queryTime + t) * of.keyTime;
        const kept = probabilities.map((p, s) => p * (mask?.[first + s] ?? 1));
        output[b] ??= [];
        output[b]![h] ??= [];
        output[b]![h]![t] = v[b]![shared]![0]!.map((_, i) =>
          kept.reduce((sum, p, s) => sum + p * v[b]![shared]![s]![i]!, 0),
        );
        return probabilities;
      });
    }),
  );
  return { output, weights };
}

describe('scaledDotProductAttention', () => {
  it.each(cases)('agrees with its definition: %s', (_, of) => {
    const tensors = given(of);
    const attention = { ...tensors, keyLengths: lengthsOf(of) };
    const want = plain(of, tensors);
    const output = scaledDotProductAttention(attention, of.options);
    expect(output.shape).toEqual([of.batch, of.queryHeads, of.queryTime, of.valueWidth]);
    expectClose(output, want.output);
    const both = scaledDotProductAttention(attention, { ...of.options, returnWeights: true });
    expectClose(both.output, want.output);
    expectClose(both.weights, want.weights);
  });

  it.each(cases)('has the gradients of differences: %s', (_, of) => {
    const tensors = given(of);
    const names = Object.keys(tensors);
    const attend = (values: readonly tf.Tensor[]): ScaledDotProductAttentionArguments => ({
      ...(Object.fromEntries(names.map((name, i) => [name, values[i]!])) as unknown as Given),
      keyLengths: lengthsOf(of),
    });
    gradCheck((...values) => scaledDotProductAttention(attend(values), of.options), Object.values(tensors));
    gradCheck((...values) => {
      const { output, weights } = scaledDotProductAttention(attend(values), { ...of.options, returnWeights: true });
      return [output, weights];
    }, Object.values(tensors));
  });

  it('gives zeros, and zero gradients, where there is no key to attend to', () => {
    const tensors = given(sizes);
    const forbidden = tf.fill([3, 5], -Infinity);
    for (const [changes, options] of [
      [{ keyLengths: tf.tensor1d([0, 0], 'int32') }, {}],
      [{ bias: forbidden }, {}],
      [{}, { causal: true, causalOffset: -3 }],
      [{}, { causal: true, causalOffset: -1e9 }],
    ] as const) {
      const attend = (query: tf.Tensor, key: tf.Tensor, value: tf.Tensor): tf.Tensor =>
        scaledDotProductAttention({ query, key, value, ...changes }, options);
      const { query, key, value } = tensors;
      const gradients = tf.grads((q, k, v) => tf.sum(attend(q!, k!, v!)))([...[query, key, value]]);
      for (const tensor of [attend(query, key, value), ...gradients]) {
        expect(tensor.dataSync().every(x => x === 0)).toBe(true);
      }
    }
  });

  it('reads −Infinity in the bias as a mask, with a gradient of zero there', () => {
    const tensors = given({ ...sizes, bias: [3, 5] });
    const mask = tf.tensor2d([1, 0, 1, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0], [3, 5], 'bool');
    const bias = tf.where(mask, tensors.bias!, -Infinity);
    const { weights } = scaledDotProductAttention({ ...tensors, bias }, { returnWeights: true });
    // The last query may attend to nothing.
    expectClose(
      tf.reshape(tf.sum(weights, -1), [24]),
      Array.from({ length: 24 }, (_, i) => (i % 3 < 2 ? 1 : 0)),
    );
    const gradient = tf.grad(x => tf.sum(tf.square(scaledDotProductAttention({ ...tensors, bias: x }))))(bias);
    for (const [i, allowed] of mask.dataSync().entries()) if (!allowed) expect(gradient.dataSync()[i]).toBe(0);
    expect(gradient.dataSync().some(x => x !== 0)).toBe(true);
  });

  it('keeps what lies behind the lengths out, NaN included', () => {
    const keyLengths = tf.tensor1d([3, 5], 'int32');
    const results = [0, Number.NaN].map(filler => {
      const { query, ...tensors } = given(sizes);
      const [key, value] = [tensors.key, tensors.value].map(tensor => {
        const behind = tf.greaterEqual(tf.range(0, 5), tf.reshape(keyLengths, [2, 1])); // [B, Tk]
        return tf.where(tf.reshape(behind, [2, 1, 5, 1]), filler, tensor);
      }) as [tf.Tensor, tf.Tensor];
      const attend = (...[q, k, v]: tf.Tensor[]): tf.Tensor =>
        scaledDotProductAttention({ query: q!, key: k!, value: v!, keyLengths });
      return [
        attend(query, key, value),
        ...tf.grads((...all) => tf.sum(tf.square(attend(...all))))([query, key, value]),
      ];
    });
    results[1]!.forEach((tensor, i) => {
      expectClose(tensor, results[0]![i]!);
    });
  });

  it('is finite for scores of ±10⁴, and gives NaN for NaN', () => {
    const query = tf.tensor4d([1e2, -1e2], [1, 1, 2, 1]);
    const [key, value] = [tf.tensor4d([1e2, -1e2, 0], [1, 1, 3, 1]), tf.tensor4d([1, 2, 3], [1, 1, 3, 1])];
    expectClose(scaledDotProductAttention({ query, key, value }), [1, 2]);
    const gradients = tf.grads((q, k, v) => tf.sum(scaledDotProductAttention({ query: q!, key: k!, value: v! })));
    for (const tensor of gradients([query, key, value])) {
      expect(tensor.dataSync().every(Number.isFinite)).toBe(true);
    }
    const broken = tf.tensor4d([Number.NaN, 0], [1, 1, 2, 1]);
    const output = scaledDotProductAttention({ query: broken, key, value, bias: tf.zeros([3]) }).dataSync();
    expect([...output]).toEqual([Number.NaN, 2]);
  });

  it('leaks nothing', () => {
    const tensors = given({ ...sizes, bias: [4, 1, 5] });
    const keyLengths = tf.tensor1d([2, 5], 'int32');
    const options = { causal: true, causalOffset: 2, dropout: { rate: 0.3, key: dropoutKey } } as const;
    expectNoLeak(() => scaledDotProductAttention(tensors));
    expectNoLeak(() => scaledDotProductAttention({ ...tensors, keyLengths }, options));
    expectNoLeak(() => scaledDotProductAttention({ ...tensors, keyLengths }, { ...options, returnWeights: true }));
    expectNoLeak(() =>
      tf.grads((query, key, value, bias) =>
        tf.sum(scaledDotProductAttention({ query: query!, key: key!, value: value!, bias, keyLengths }, options)),
      )(Object.values(tensors)),
    );
  });

  const tensors = given(sizes);
  it.each([
    [
      'query must be [batch, queryHeads, queryTime, width], expected [?, ?, ?, ?], got [2, 3].',
      { query: tf.zeros([2, 3]) },
    ],
    [
      'key must be [batch, keyHeads, keyTime, width], expected [2, ?, ?, 3], got [2, 2, 5, 4].',
      { key: tf.zeros([2, 2, 5, 4]) },
    ],
    ['value must be [batch, keyHeads, keyTime, valueWidth], expected [2, 2, 5, ?]', { value: tf.zeros([2, 2, 4, 2]) }],
    ['query must have dtype float32, got int32.', { query: tf.zeros([2, 4, 3, 3], 'int32') }],
    ['value must have no empty axis, got [2, 2, 5, 0].', { value: tf.zeros([2, 2, 5, 0]) }],
    [
      'the number of query heads must be a multiple of the number of key heads, got 3 and 2.',
      { query: tf.zeros([2, 3, 3, 3]) },
    ],
    [
      'bias must be broadcastable to [batch, queryHeads, queryTime, keyTime], expected [2, 4, 3, 5], got [4, 5].',
      { bias: tf.zeros([4, 5]) },
    ],
    ['bias must have dtype float32, got bool.', { bias: tf.zeros([3, 5], 'bool') }],
    ['keyLengths must be [batch], expected [2], got [3].', { keyLengths: tf.zeros([3], 'int32') }],
    ['keyLengths must be in 0 … 5, got 6 at position 1.', { keyLengths: tf.tensor1d([0, 6], 'int32') }],
  ] as const)('says: %s', (message, changes) => {
    expect(() => scaledDotProductAttention({ ...tensors, ...changes })).toThrow(
      `scaledDotProductAttention: ${message}`,
    );
  });

  it.each([
    ['scale must be a finite number, got NaN.', { scale: Number.NaN }],
    ['causalOffset must be an integer, got 0.5.', { causal: true, causalOffset: 0.5 }],
    ['dropout.rate must be a finite number ≥ 0 < 1, got 1.', { dropout: { rate: 1, key: dropoutKey } }],
    [
      "causal needs causalOffset when queries and keys differ in number, got 3 and 5. Pass 2 when the queries' own keys are the last, 0 when they are the first.",
      { causal: true },
    ],
  ] as const)('says: %s', (message, options) => {
    expect(() => scaledDotProductAttention(tensors, options)).toThrow(`scaledDotProductAttention: ${message}`);
  });
});
