import type { OstinatoCpuBackend } from '@ostinato/backend-cpu';
import { Rng } from '@ostinato/core';
import { scaledDotProductAttention } from '@ostinato/ops';
import { allClose, countKernels, expectNoLeak, gradCheck } from '@ostinato/testing';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { expectParity, lengthsOf, runs, seed, size } from './compare.ts';

const axis = fc.boolean();
const cases = fc.record({
  batch: size(3),
  keyHeads: size(3),
  group: size(3),
  queryTime: fc.oneof(size(9), size(150)),
  keyTime: fc.oneof(size(9), size(150)),
  width: size(19),
  valueWidth: size(19),
  seed,
  bias: fc.option(fc.tuple(axis, axis, axis, axis)),
  causal: fc.option(fc.integer({ min: -20, max: 20 })),
  ragged: fc.boolean(),
  rate: fc.constantFrom(0, 0.3),
  deviation: fc.constantFrom(0.7, 3),
});

describe('kernels agree with the reference', () => {
  it('scaledDotProductAttention', async () => {
    await fc.assert(
      fc.asyncProperty(cases, ({ batch, keyHeads, group, queryTime, keyTime, width, valueWidth, ...given }) => {
        const queryHeads = keyHeads * group;
        const scores = [batch, queryHeads, queryTime, keyTime];
        return expectParity({
          kernels: ['OstinatoAttention', 'OstinatoAttentionGrad'],
          seed: given.seed,
          shapes: {
            query: [batch, queryHeads, queryTime, width],
            key: [batch, keyHeads, keyTime, width],
            value: [batch, keyHeads, keyTime, valueWidth],
            ...(given.bias ? { bias: given.bias.map((whole, i) => (whole ? scores[i]! : 1)) } : {}),
          },
          // The gradient of a bias that is the same for all keys is zero but for rounding, which must stay below what is compared.
          deviation: given.bias ? 0.5 : given.deviation,
          outputs: ({ query, key, value, bias }) => {
            const rng = new Rng(given.seed);
            const keyLengths = lengthsOf(rng.split('lengths'), { batch, time: keyTime, ragged: given.ragged });
            const dropout = given.rate > 0 ? { rate: given.rate, key: rng.split('dropout').key } : undefined;
            const causal = given.causal === null ? {} : { causal: true, causalOffset: given.causal };
            return [
              scaledDotProductAttention(
                { query: query!, key: key!, value: value!, bias, keyLengths },
                { ...causal, dropout },
              ),
            ];
          },
        });
      }),
      { ...runs, numRuns: 60 },
    );
  });
});

const rng = new Rng(5);
const dropout = { rate: 0.2, key: rng.split('dropout').key };

/** A query, keys, values and a bias of the heads, for two rows of three query heads to a key head. */
const operands = (queryTime: number, keyTime: number): [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor] => [
  rng.split('query').normal([2, 3, queryTime, 4], 0, 0.7),
  rng.split('key').normal([2, 1, keyTime, 4], 0, 0.7),
  rng.split('value').normal([2, 1, keyTime, 5], 0, 0.7),
  rng.split('bias').normal([3, queryTime, keyTime], 0, 0.7),
];

/** Attention with everything at once; the second row of the batch has no key. */
const attend = (query: tf.Tensor, key: tf.Tensor, value: tf.Tensor, bias: tf.Tensor): tf.Tensor =>
  tf.tidy(() => {
    const keyTime = key.shape[2]!;
    const options = { causal: true, causalOffset: keyTime - query.shape[2]!, dropout };
    return scaledDotProductAttention(
      { query, key, value, bias, keyLengths: tf.tensor1d([keyTime - 1, 0], 'int32') },
      options,
    );
  });

const gradients = (values: readonly tf.Tensor[]): tf.Tensor[] =>
  tf.grads((...[q, k, v, b]) => tf.sum(tf.square(attend(q!, k!, v!, b!))))([...values]);

describe.each(['cpu', 'ostinato-cpu'])('attention on %s', engine => {
  afterEach(async () => {
    await tf.setBackend('cpu');
  });

  it('has the gradients of differences', async () => {
    await tf.setBackend(engine);
    gradCheck((...[q, k, v, b]) => attend(q!, k!, v!, b!), operands(3, 5));
    gradCheck((...[q, k, v, b]) => attend(q!, k!, v!, b!), operands(67, 70), { elements: 3 });
  });

  it('keeps a NaN behind the lengths out of the output and every gradient', async () => {
    await tf.setBackend(engine);
    const [query, key, value, bias] = operands(4, 70);
    const found = [0, Number.NaN].map(filler => {
      // Behind 69 keys in the first row, behind none in the second.
      const filled = (x: tf.Tensor): tf.Tensor => {
        const kept = tf.slice(x, [0, 0, 0, 0], [1, 1, 69, x.shape[3]!]);
        const first = tf.concat([kept, tf.fill([1, 1, 1, x.shape[3]!], filler)], 2);
        return tf.concat([first, tf.fill([1, ...x.shape.slice(1)], filler)]);
      };
      const values = [query, filled(key), filled(value), bias] as const;
      return [attend(...values), ...gradients(values)].map(tensor => tensor.dataSync());
    });
    expect(allClose(found[1]!, found[0]!)).toMatchObject({ close: true });
  });

  it('leaks neither tensors nor scratch memory', async () => {
    await tf.setBackend(engine);
    const values = operands(3, 5);
    const used = (): number => (tf.backend() as OstinatoCpuBackend).memory().allocatedBytes;
    tf.dispose([attend(...values), gradients(values)]);
    const before = used();
    expectNoLeak(() => attend(...values));
    expectNoLeak(() => gradients(values));
    expect(used()).toBe(before);
  });

  it('launches as many kernels for long sequences as for short ones', async () => {
    await tf.setBackend(engine);
    const [short, long] = [operands(5, 5), operands(150, 200)];
    const { names } = await countKernels(() => gradients(short));
    expect((await countKernels(() => gradients(long))).names).toEqual(names);
    const fused = engine === 'ostinato-cpu';
    expect(names.filter(name => name.startsWith('OstinatoAttention'))).toEqual(
      fused ? ['OstinatoAttention', 'OstinatoAttentionGrad'] : [],
    );
  });
});
