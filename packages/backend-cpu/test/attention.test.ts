// Blocked attention against the same equation in plain ops on the stock CPU backend, and what makes it blocked: items that stand
// alone, scratch memory linear in time, sequences whose scores would not fit into memory.
import { threefry } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { OstinatoCpuBackend } from '../src/index.ts';
import type { Kernels } from '../src/kernels.ts';
import { absent, expectClose, on, runKernel, type Tensors, tensor } from './support.ts';

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

const odd: Case = {
  ...{ batch: 2, keyHeads: 2, group: 3, queryTime: 131, keyTime: 150, width: 9, valueWidth: 5 },
  ...{ bias: [false, true, true, true], lengths: [150, 77], causal: true, causalOffset: 19 },
};

/** Runs `body` on the backend with some of its kernels replaced. */
function withKernels<Result>(replace: (kernels: Kernels) => Partial<Kernels>, body: () => Result): Result {
  tf.setBackend('ostinato-cpu');
  const backend = tf.backend() as unknown as { kernels: Kernels };
  const { kernels } = backend;
  backend.kernels = { ...kernels, ...replace(kernels) };
  try {
    return body();
  } finally {
    backend.kernels = kernels;
  }
}

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

  it('works with more than one block of everything', () => {
    const fused = on('ostinato-cpu', () => blocked(odd));
    expectClose(
      fused,
      on('cpu', () => composed(odd)),
      { absolute: 2e-4, relative: 2e-4 },
    );
  });

  it('is made of items that run in any order and with scratch memory of their own', () => {
    for (const attributes of [{}, { dropoutRate: 0.3, dropoutKey: [1, 2] }]) {
      const whole = on('ostinato-cpu', () => blocked(odd, attributes));
      // The last two arguments but one are the range of items.
      const oneByOne =
        (kernel: (...args: number[]) => void) =>
        (...args: number[]): void => {
          const [first, last, scratch] = args.slice(-3) as [number, number, number];
          expect(last - first).toBeGreaterThan(1);
          for (let item = last - 1; item >= first; item--) kernel(...args.slice(0, -3), item, item + 1, scratch);
        };
      const parts = withKernels(
        kernels => ({
          attention_forward: oneByOne(kernels.attention_forward as never) as never,
          attention_backward: oneByOne(kernels.attention_backward as never) as never,
        }),
        () => on('ostinato-cpu', () => blocked(odd, attributes)),
      );
      // Only the bias, which is shared by the batch, is summed in another order.
      expectClose(parts.slice(0, -1), whole.slice(0, -1), { absolute: 0, relative: 0 });
      expectClose(parts.slice(-1), whole.slice(-1), { absolute: 1e-5 });
    }
  });

  it('takes scratch memory that grows with time, not with its square', () => {
    tf.setBackend('ostinato-cpu');
    const { kernels } = tf.backend() as OstinatoCpuBackend;
    const [heads, width] = [8, 64];
    const forward = (steps: number) => kernels.attention_forward_work(steps, width, width);
    const backward = (steps: number) => kernels.attention_backward_work(heads, heads, steps, width, width);
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
    // With equal scores and values of one, an output is the mean of dropout's factors of its row.
    const [heads, steps, rate, key] = [24, 32_767, 0.5, [3, 4]] as const;
    const [output] = withKernels(
      kernels => ({
        attention_forward: ((...args: number[]) => {
          const last = args.at(-2)!;
          (kernels.attention_forward as (...args: number[]) => void)(
            ...args.slice(0, -3),
            last - 1,
            last,
            args.at(-1)!,
          );
        }) as never,
      }),
      () =>
        on('ostinato-cpu', () => {
          const zeros = tf.zeros([1, heads, steps, 1]);
          const inputs = { query: zeros, key: tf.zeros([1, 1, steps, 1]), value: tf.ones([1, 1, steps, 1]) };
          const attributes = { ...plainAttributes, scale: 1, dropoutRate: rate, dropoutKey: key };
          return runKernel('OstinatoAttention', { ...inputs, bias: absent(), keyLengths: absent() }, attributes).slice(
            0,
            1,
          );
        }),
    );
    const first = (heads * steps - 1) * steps; // of the last row
    expect(first).toBeGreaterThan(2 ** 34);
    let kept = 0;
    for (let element = first; element < first + steps; element++) {
      const counter = Math.floor(element / 2);
      const word = threefry(key, counter % 2 ** 32, 2 ** 31 + Math.floor(counter / 2 ** 32))[element % 2]!;
      if ((word >>> 8) / 2 ** 24 >= rate) kept++;
    }
    expect(output!.values.at(-1)! * steps * (1 - rate)).toBeCloseTo(kept, 0);
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

  it('refuses lengths beyond the keys', () => {
    for (const lengths of [[150, 151], [-1, 0], [3]]) {
      expect(() => on('ostinato-cpu', () => blocked({ ...odd, lengths }))).toThrow(
        /OstinatoAttention: keyLengths must/,
      );
    }
  });
});
