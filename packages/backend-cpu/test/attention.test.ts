// Blocked attention against the same equation in plain ops on the stock CPU backend, and what makes it blocked: scratch memory
// linear in time, sequences whose scores would not fit into memory. Its threads: team.test.ts.
import { threefry } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { OstinatoCpuBackend } from '../src/index.ts';
import { absent, expectClose, numbers, on, runKernel, type Tensors, tensor } from './support.ts';

const plainAttributes = { causal: false, causalOffset: 0, dropoutRate: 0, dropoutKey: [0, 0] };

interface Case {
  batch: number;
  keyHeads: number;
  group: number;
  queryTime: number;
  keyTime: number;
  width: number;
  valueWidth: number;
  bias: boolean[] | null;
  lengths: number[] | null;
  causal: boolean;
  causalOffset: number;
}

const count = (max: number) => fc.integer({ min: 1, max });
const time = fc.oneof(count(7), count(140));

const cases: fc.Arbitrary<Case> = fc
  .record({ batch: count(2), keyHeads: count(2), group: count(3), queryTime: time, keyTime: time })
  .chain(({ batch, keyTime, ...rest }) =>
    fc.record({
      ...(Object.fromEntries(Object.entries(rest).map(([name, value]) => [name, fc.constant(value)])) as {
        [name in keyof typeof rest]: fc.Arbitrary<number>;
      }),
      ...{ batch: fc.constant(batch), keyTime: fc.constant(keyTime), width: count(13), valueWidth: count(13) },
      bias: fc.option(fc.array(fc.boolean(), { minLength: 4, maxLength: 4 })),
      lengths: fc.option(fc.array(fc.integer({ min: 0, max: keyTime }), { minLength: batch, maxLength: batch })),
      ...{ causal: fc.boolean(), causalOffset: fc.integer({ min: -9, max: 9 }) },
    }),
  );

function operandsOf({ batch, keyHeads, group, queryTime, keyTime, width, valueWidth, bias }: Case): Tensors {
  const scores = [batch, keyHeads * group, queryTime, keyTime];
  return {
    query: tensor(1, [batch, keyHeads * group, queryTime, width]),
    key: tensor(2, [batch, keyHeads, keyTime, width]),
    value: tensor(3, [batch, keyHeads, keyTime, valueWidth]),
    bias: bias
      ? tensor(
          4,
          bias.map((whole, axis) => (whole ? scores[axis]! : 1)),
        )
      : absent(),
  };
}

const scaleOf = ({ width }: Case): number => 1 / Math.sqrt(width);

/** Output and gradients by the kernels. */
function blocked(of: Case, attributes: object = {}): tf.Tensor[] {
  const all = {
    ...plainAttributes,
    scale: scaleOf(of),
    causal: of.causal,
    causalOffset: of.causalOffset,
    ...attributes,
  };
  const keyLengths = of.lengths ? tf.tensor1d(of.lengths, 'int32') : absent();
  const inputs = { ...operandsOf(of), keyLengths };
  const [output, reserve] = runKernel('OstinatoAttention', inputs, all);
  const dOutput = tensor(5, output!.shape);
  return [
    output!,
    ...runKernel('OstinatoAttentionGrad', { ...inputs, output: output!, reserve: reserve!, dOutput }, all),
  ];
}

/** Output and gradients by plain ops: keys and values repeated for every query head, forbidden weights made zero. */
function composed(of: Case): tf.Tensor[] {
  const { batch, keyHeads, group, queryTime, keyTime } = of;
  const seen = tf.tensor(
    Array.from({ length: batch * queryTime * keyTime }, (_, i) => {
      const [b, t, s] = [Math.floor(i / queryTime / keyTime), Math.floor(i / keyTime) % queryTime, i % keyTime];
      return Number(s < (of.lengths?.[b] ?? keyTime) && (!of.causal || s <= t + of.causalOffset));
    }),
    [batch, 1, queryTime, keyTime],
  );
  const repeated = (x: tf.Tensor): tf.Tensor => {
    const [, , steps, size] = x.shape as [number, number, number, number];
    const groups = tf.tile(tf.reshape(x, [batch, keyHeads, 1, steps * size]), [1, 1, group, 1]);
    return tf.reshape(groups, [batch, keyHeads * group, steps, size]);
  };
  const forward = (query: tf.Tensor, key: tf.Tensor, value: tf.Tensor, bias: tf.Tensor): tf.Tensor => {
    const scaled = tf.mul(tf.matMul(query, repeated(key), false, true), scaleOf(of));
    const scores = of.bias ? tf.add(scaled, bias) : tf.add(scaled, tf.mul(tf.sum(bias), 0));
    const masked = tf.add(scores, tf.mul(tf.sub(seen, 1), 1e9));
    return tf.matMul(tf.mul(tf.softmax(masked), seen), repeated(value));
  };
  const { query, key, value, bias } = operandsOf(of);
  const output = forward(query!, key!, value!, bias!);
  const loss = (...[q, k, v, b]: tf.Tensor[]): tf.Scalar =>
    tf.sum(tf.mul(forward(q!, k!, v!, b!), tensor(5, output.shape)));
  return [output, ...tf.grads(loss)([query!, key!, value!, bias!])];
}

/** What `blocked` returns, computed in another layout and brought back. */
function inLayout(of: Case, layout: 'BTHD' | 'packed'): tf.Tensor[] {
  const heads = of.keyHeads * of.group;
  const swap = (x: tf.Tensor): tf.Tensor => tf.transpose(x, [0, 2, 1, 3]);
  const flat = (x: tf.Tensor): tf.Tensor => tf.reshape(swap(x), [of.batch, x.shape[2]!, -1]);
  const { query, key, value, bias } = operandsOf(of) as Record<'query' | 'key' | 'value' | 'bias', tf.Tensor>;
  const keyLengths = of.lengths ? tf.tensor1d(of.lengths, 'int32') : absent();
  const packed = layout === 'packed';
  const inputs = packed
    ? { query: tf.concat([flat(query), flat(key), flat(value)], 2), key: absent(), value: absent() }
    : { query: swap(query), key: swap(key), value: swap(value) };
  const all = {
    ...{ ...plainAttributes, scale: scaleOf(of), causal: of.causal, causalOffset: of.causalOffset },
    ...{ layout, numHeads: heads, numKeyHeads: of.keyHeads },
  };
  const [output, reserve] = runKernel('OstinatoAttention', { ...inputs, bias, keyLengths }, all);
  const lay = (x: tf.Tensor): tf.Tensor => (packed ? flat(x) : swap(x));
  const dOutput = lay(tensor(5, [of.batch, heads, of.queryTime, of.valueWidth]));
  const back = { ...inputs, bias, keyLengths, output: output!, reserve: reserve!, dOutput };
  const [dQuery, dKey, dValue, dBias] = runKernel('OstinatoAttentionGrad', back, all) as [
    ...[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor],
  ];
  const unflat = (x: tf.Tensor, count: number): tf.Tensor =>
    swap(tf.reshape(x, [of.batch, x.shape[1]!, count, x.shape[2]! / count]));
  if (!packed) return [...[output!, dQuery, dKey, dValue].map(swap), dBias];
  const parts = [heads, of.keyHeads, of.keyHeads];
  const gradients = tf.split(
    dQuery,
    parts.map(count => count * of.width),
    2,
  );
  return [unflat(output!, heads), ...gradients.map((gradient, i) => unflat(gradient, parts[i]!)), dBias];
}

const odd: Case = {
  ...{ batch: 2, keyHeads: 2, group: 3, queryTime: 131, keyTime: 150, width: 9, valueWidth: 5 },
  ...{ bias: [false, true, true, true], lengths: [150, 77], causal: true, causalOffset: 19 },
};

afterEach(() => {
  tf.setBackend('cpu');
});

describe('OstinatoAttention', () => {
  it('matches composed ops, forward and backward', () => {
    fc.assert(
      fc.property(cases, of => {
        const fused = on('ostinato-cpu', () => blocked(of));
        expectClose(
          fused,
          on('cpu', () => composed(of)),
          { absolute: 5e-5, relative: 5e-5 },
        );
      }),
      { numRuns: 60 },
    );
  });

  it('computes the same with time before heads, and with all three side by side', () => {
    fc.assert(
      fc.property(cases, of => {
        const close = { absolute: 1e-5, relative: 1e-5 };
        const here = (body: () => tf.Tensor[]) => on('ostinato-cpu', body);
        expectClose(
          here(() => inLayout(of, 'BTHD')),
          here(() => blocked(of)),
          close,
        );
        const lengths = of.lengths?.map(length => Math.min(length, of.queryTime)) ?? null;
        const self = { ...of, keyTime: of.queryTime, valueWidth: of.width, lengths };
        expectClose(
          here(() => inLayout(self, 'packed')),
          here(() => blocked(self)),
          close,
        );
      }),
      { numRuns: 30 },
    );
  });

  it('works with more than one block of everything', () => {
    const fused = on('ostinato-cpu', () => blocked(odd));
    expectClose(
      fused,
      on('cpu', () => composed(odd)),
      { absolute: 2e-4, relative: 2e-4 },
    );
  });

  it('takes scratch memory that grows with time, not with its square', () => {
    tf.setBackend('ostinato-cpu');
    const { kernels } = tf.backend() as OstinatoCpuBackend;
    const [heads, width] = [8, 64];
    const forward = (steps: number) => kernels.attention_forward_work(steps, width, width, 1);
    const backward = (steps: number) => kernels.attention_backward_work(0, heads, heads, steps, width, width, 1);
    for (const work of [forward, backward]) {
      const [once, twice, more] = [work(4096), work(8192), work(16_384)] as const;
      expect(more - twice).toBeLessThan(2.01 * (twice - once));
      expect(more).toBeLessThan(16_384 * 8 * width);
    }
  });

  it('trains on sequences whose scores would not fit into memory', () => {
    // 4096² scores take 64 MB; the memory has 16 MB.
    tf.registerBackend('ostinato-cpu-tiny', () => new OstinatoCpuBackend({ maximumPages: 256 }));
    tf.copyRegisteredKernels('ostinato-cpu', 'ostinato-cpu-tiny');
    const long: Case = {
      ...{ batch: 1, keyHeads: 1, group: 1, queryTime: 4096, keyTime: 4096, width: 8, valueWidth: 8 },
      ...{ bias: null, lengths: null, causal: true, causalOffset: 0 },
    };
    const values = on('ostinato-cpu-tiny', () => blocked(long));
    tf.removeBackend('ostinato-cpu-tiny');
    expect(values.every(({ values: found }) => found.every(Number.isFinite))).toBe(true);
    // The first query sees the first key alone.
    const value = tensor(3, [4096 * 8])
      .dataSync()
      .subarray(0, 8);
    expectClose([{ shape: [8], values: values[0]!.values.subarray(0, 8) }], [{ shape: [8], values: value }]);
  });

  it('counts the weights for dropout beyond 32 bits', () => {
    // With equal scores and values of one, an output is the mean of dropout's factors of its row. Only a few keys are visible.
    const [heads, steps, visible, rate, key] = [24, 32_767, 64, 0.5, [3, 4]] as const;
    const [output] = on('ostinato-cpu', () => {
      const inputs = {
        ...{ query: tf.zeros([1, heads, steps, 1]), key: tf.zeros([1, 1, steps, 1]), value: tf.ones([1, 1, steps, 1]) },
        ...{ bias: absent(), keyLengths: tf.tensor1d([visible], 'int32') },
      };
      const attributes = { ...plainAttributes, scale: 1, dropoutRate: rate, dropoutKey: key };
      return runKernel('OstinatoAttention', inputs, attributes).slice(0, 1);
    });
    const lastRow = (heads * steps - 1) * steps;
    expect(lastRow).toBeGreaterThan(2 ** 34);
    let kept = 0;
    for (let element = lastRow; element < lastRow + visible; element++) {
      const counter = Math.floor(element / 2);
      const word = threefry(key, counter % 2 ** 32, 2 ** 31 + 4 * Math.floor(counter / 2 ** 32))[element % 2]!;
      if ((word >>> 8) / 2 ** 24 >= rate) kept++;
    }
    expect(output!.values.at(-1)! * visible * (1 - rate)).toBeCloseTo(kept, 3);
  });

  it('is finite for scores of ±10⁴, gives NaN for NaN, and zeros where the bias forbids every key', () => {
    const attributes = { ...plainAttributes, scale: 1 };
    const inputs = () => ({
      query: tf.tensor4d([1e2, -1e2, Number.NaN, 0], [1, 1, 4, 1]),
      key: tf.tensor4d([1e2, -1e2, 0], [1, 1, 3, 1]),
      value: tf.tensor4d([1, 2, 3], [1, 1, 3, 1]),
      bias: tf.tensor4d([0, 0, 0, -Infinity], [1, 1, 4, 1]),
      keyLengths: absent(),
    });
    const found = on('ostinato-cpu', () => {
      const [output, reserve] = runKernel('OstinatoAttention', inputs(), attributes);
      const dOutput = tf.tensor4d([1, 1, 0, 1], [1, 1, 4, 1]);
      const all = { ...inputs(), output: output!, reserve: reserve!, dOutput };
      return [output!, runKernel('OstinatoAttentionGrad', all, attributes)[0]!];
    });
    expect(found.map(({ values }) => [...values])).toEqual([
      [1, 2, Number.NaN, 0],
      [0, 0, Number.NaN, 0],
    ]);
  });

  it('keeps the error bound of its exponential', () => {
    // Two keys of score 0 and −x, and values that pick one weight each: their ratio is e⁻ˣ.
    const x = Float32Array.from([
      ...numbers(1, 5000, 43.5).map(value => value + 43.5),
      ...numbers(2, 2000).map(Math.abs),
    ]);
    const [output] = on('ostinato-cpu', () => {
      const key = tf.reshape(tf.stack([tf.zeros([x.length]), tf.neg(tf.tensor1d(x))], 1), [x.length, 1, 2, 1]);
      const value = tf.tile(tf.tensor4d([1, 0, 0, 1], [1, 1, 2, 2]), [x.length, 1, 1, 1]);
      const inputs = { query: tf.ones([x.length, 1, 1, 1]), key, value, bias: absent(), keyLengths: absent() };
      return runKernel('OstinatoAttention', inputs, { ...plainAttributes, scale: 1 }).slice(0, 1);
    });
    let worst = 0;
    for (const [i, exponent] of x.entries()) {
      const [first, second] = output!.values.subarray(2 * i, 2 * i + 2);
      worst = Math.max(worst, Math.abs(second! / first! / Math.exp(-exponent) - 1));
    }
    // Two roundings more than the 2e-7 of the exponential.
    expect(worst).toBeLessThan(3.2e-7);
  });

  it('refuses lengths beyond the keys', () => {
    for (const lengths of [[150, 151], [-1, 0], [3]]) {
      expect(() => on('ostinato-cpu', () => blocked({ ...odd, lengths }))).toThrow(
        /OstinatoAttention: keyLengths must/,
      );
    }
  });
});
