// Elementwise kernels and reductions against the stock CPU backend, and the functions' error bounds against double precision.
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import '../src/index.ts';
import { expectClose, numbers, on, runKernel, tensor } from './support.ts';

const shapePairs = fc.constantFrom<[number[], number[]]>(
  [[], []],
  [[7], []],
  [[], [6, 3]],
  [
    [5, 9],
    [5, 9],
  ],
  [[5, 9], [9]],
  [
    [1, 9],
    [5, 9],
  ],
  [
    [5, 1],
    [5, 9],
  ],
  [
    [5, 9],
    [5, 1],
  ],
  [
    [2, 3, 4],
    [3, 4],
  ],
  [[2, 3, 4], [4]],
  [
    [2, 1, 4],
    [2, 3, 1],
  ],
  [
    [2, 3, 1],
    [2, 3, 5],
  ],
  [[1], [1, 1, 1]],
  [
    [3, 1],
    [1, 7],
  ],
  [[0, 3], [3]],
);

const { add, sub, mul, div, maximum, minimum, square, sqrt, relu, relu6, neg, abs } = tf;

describe('binary operations', () => {
  it.each(Object.entries({ add, sub, mul, div, maximum, minimum }))(
    '%s broadcasts as the stock backend does',
    (_, op) => {
      fc.assert(
        fc.property(shapePairs, fc.boolean(), ([a, b], swap) => {
          const [left, right] = swap ? [b, a] : [a, b];
          const body = () => [op(tensor(1, left), tf.add(tensor(2, right), 3))];
          expectClose(on('ostinato-cpu', body), on('cpu', body), { absolute: 0, relative: 1e-6 });
        }),
      );
    },
  );

  it('keeps the dtype rules', () => {
    for (const [a, b] of [
      ['int32', 'int32'],
      ['int32', 'float32'],
      ['bool', 'float32'],
      ['bool', 'bool'],
    ] as const) {
      for (const op of [add, mul, div, sub]) {
        const body = () => {
          const result = op(tf.tensor1d([1, 0, 1], a), tf.tensor1d([1, 1, 1], b));
          return [result, tf.scalar({ float32: 0, int32: 1, bool: 2 }[result.dtype as string] ?? 3)];
        };
        expectClose(on('ostinato-cpu', body), on('cpu', body));
      }
    }
  });

  it('works on complex numbers and strings as the stock backend does', () => {
    const body = () => {
      const sum = tf.add(tf.complex([1, 2], [3, 4]), tf.complex([5, 6], [7, 8]));
      return [tf.real(sum), tf.imag(sum)];
    };
    expectClose(on('ostinato-cpu', body), on('cpu', body));
    on('ostinato-cpu', () => {
      expect(tf.tile(tf.reshape(tf.tensor1d(['a', 'b']), [2, 1]), [1, 2]).dataSync()).toEqual(['a', 'a', 'b', 'b']);
      return [];
    });
  });
});

/** Worst relative error of a unary op over `inputs`, where the double-precision result is a normal float. */
function worstError(op: (x: tf.Tensor) => tf.Tensor, exact: (x: number) => number, inputs: Float32Array): number {
  const { values } = on('ostinato-cpu', () => [op(tf.tensor1d(inputs))])[0]!;
  let worst = 0;
  for (const [index, x] of inputs.entries()) {
    const want = exact(x);
    if (Math.abs(want) < 1.2e-38) continue;
    worst = Math.max(worst, Math.abs(values[index]! - want) / Math.abs(want));
  }
  return worst;
}

const samples = (limit: number) =>
  Float32Array.from([
    ...numbers(1, 40_003, limit),
    ...numbers(2, 20_000, 1),
    ...numbers(3, 2000, 1e-4),
    ...numbers(4, 99, 1e-30),
  ]);

describe('means, steps and batch normalisation', () => {
  const both = (body: () => tf.Tensor[]) => expectClose(on('ostinato-cpu', body), on('cpu', body), { absolute: 1e-6 });

  it('mean over any axes, small and large', () => {
    const shape = [3, 5, 40, 7];
    for (const axes of [undefined, 0, 3, [0, 1], [1, 2], [2, 3], [0, 1, 2], [0, 2], [0, 1, 2, 3]]) {
      for (const keepDims of [false, true]) both(() => [tf.mean(tensor(1, shape), axes, keepDims)]);
    }
    both(() => [tf.mean(tf.tensor1d([1, 2, 4], 'int32')), tf.mean(tf.tensor1d([true, false], 'bool'))]);
    both(() => [tf.mean(tf.tensor1d([]))]);
  });

  it('the slope of ReLU, and 1 / √x', () => {
    const odd = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, -0, 1e-40, -3, 200];
    both(() => [tf.step(tf.tensor1d(odd)), tf.step(tf.tensor1d(odd), 0.25), tf.rsqrt(tf.tensor1d(odd))]);
  });

  it('batch normalisation with and without offset and scale', () => {
    for (const channels of [1, 3, 16, 33]) {
      both(() => {
        const x = tensor(1, [2, 3, 4, channels]) as tf.Tensor4D;
        const [mean, variance, offset, scale] = [2, 3, 4, 5].map(seed =>
          tf.abs(tensor(seed, [channels])),
        ) as tf.Tensor1D[];
        const all = tf.batchNorm(x, mean!, variance!, offset, scale, 0.1);
        return [all, tf.batchNorm(x, mean!, variance!, undefined, undefined, 0.1)];
      });
    }
  });
});

describe('functions', () => {
  it('exp, tanh and sigmoid keep their relative error bounds', () => {
    expect(worstError(tf.exp, Math.exp, samples(87))).toBeLessThan(2e-7);
    expect(worstError(tf.tanh, Math.tanh, samples(30))).toBeLessThan(5e-7);
    expect(worstError(tf.sigmoid, x => 1 / (1 + Math.exp(-x)), samples(87))).toBeLessThan(5e-7);
  });

  it('GELU is right in both forms', () => {
    const tanhForm = (x: number) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
    const run = (approximate: string) => (x: tf.Tensor) => runKernel('OstinatoGelu', { input: x }, { approximate })[0]!;
    expect(worstError(run('tanh'), tanhForm, samples(2))).toBeLessThan(2e-6);
    // Φ by the Taylor series of erf, in double precision.
    const normal = (x: number) => {
      let [term, sum] = [x, x];
      for (let n = 1; n < 80; n++) {
        term *= -(x * x) / (2 * n);
        sum += term / (2 * n + 1);
      }
      return 0.5 + sum / Math.sqrt(2 * Math.PI);
    };
    expect(worstError(run('none'), x => x * normal(x), samples(2))).toBeLessThan(3e-6);
  });

  it('SiLU keeps the error bound of sigmoid, and its gradient matches differences', () => {
    const run = (x: tf.Tensor) => runKernel('OstinatoSilu', { input: x })[0]!;
    expect(worstError(run, x => x / (1 + Math.exp(-x)), samples(80))).toBeLessThan(6e-7);
    const [x, step] = [numbers(1, 101, 4), 1e-2];
    const [slope, above, below] = on('ostinato-cpu', () => [
      ...runKernel('OstinatoSiluGrad', { input: tf.tensor1d(x), dOutput: tf.ones([x.length]) }),
      ...[run(tf.add(tf.tensor1d(x), step)), run(tf.sub(tf.tensor1d(x), step))],
    ]);
    const differences = above!.values.map((value, index) => (value - below!.values[index]!) / (2 * step));
    expectClose([slope!], [{ shape: slope!.shape, values: differences }], { absolute: 2e-4 });
  });

  it('is defined at the ends', () => {
    const ends = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e4, -1e4, 0, -0, 200, -200];
    const at = (op: (x: tf.Tensor) => tf.Tensor) =>
      Array.from(on('ostinato-cpu', () => [op(tf.tensor1d(ends))])[0]!.values);
    const { NaN: nan, POSITIVE_INFINITY: infinity } = Number;
    expect(at(tf.exp)).toEqual([nan, infinity, 0, infinity, 0, 1, 1, infinity, 0]);
    expect(at(tf.tanh)).toEqual([nan, 1, -1, 1, -1, 0, -0, 1, -1]);
    expect(at(tf.sigmoid)).toEqual([nan, 1, 0, 1, 0, 0.5, 0.5, 1, 0]);
    expect(at(tf.relu)).toEqual([nan, infinity, 0, 1e4, 0, 0, 0, 200, 0]);
    const gelu = (approximate: string) => at(x => runKernel('OstinatoGelu', { input: x }, { approximate })[0]!);
    for (const form of ['none', 'tanh']) {
      expect(gelu(form).slice(3).map(Math.abs)).toEqual([1e4, 0, 0, 0, 200, 0]);
    }
  });

  it.each(Object.entries({ square, sqrt, relu, relu6, neg, abs }))('%s is exactly the stock one', (name, op) => {
    const body = () => [op(tensor(5, [1003], 9))];
    const positive = () => [op(tf.abs(tensor(5, [1003], 9)))];
    const used = name === 'sqrt' ? positive : body;
    expectClose(on('ostinato-cpu', used), on('cpu', used), { absolute: 0, relative: 0 });
  });

  it('leaves int32 to the stock kernels', () => {
    const body = () => [tf.square(tf.tensor1d([3, -4], 'int32')), tf.abs(tf.tensor1d([3, -4], 'int32'))];
    expectClose(on('ostinato-cpu', body), on('cpu', body));
  });

  it('GELU gradient matches differences', () => {
    for (const approximate of ['none', 'tanh']) {
      const x = numbers(1, 101, 4);
      const step = 1e-2;
      const [slope, above, below] = on('ostinato-cpu', () => [
        ...runKernel('OstinatoGeluGrad', { input: tf.tensor1d(x), dOutput: tf.ones([x.length]) }, { approximate }),
        ...runKernel('OstinatoGelu', { input: tf.add(tf.tensor1d(x), step) }, { approximate }),
        ...runKernel('OstinatoGelu', { input: tf.sub(tf.tensor1d(x), step) }, { approximate }),
      ]);
      const differences = above!.values.map((value, index) => (value - below!.values[index]!) / (2 * step));
      expectClose([slope!], [{ shape: slope!.shape, values: differences }], { absolute: 2e-4 });
    }
  });
});

describe('reductions', () => {
  it.each([
    [[5, 7, 3], undefined],
    [[5, 7, 3], [0]],
    [[5, 7, 3], [1]],
    [[5, 7, 3], [2]],
    [
      [5, 7, 3],
      [0, 1],
    ],
    [
      [5, 7, 3],
      [0, 2],
    ],
    [[4], 0],
    [[], undefined],
    [[10_007], undefined],
    [[0, 3], [0]],
  ] as const)('sum of %j over %j', (shape, axis) => {
    for (const keepDims of [false, true]) {
      const body = () => [tf.sum(tensor(1, [...shape]), axis as unknown as number[], keepDims)];
      expectClose(on('ostinato-cpu', body), on('cpu', body), { absolute: 1e-3, relative: 1e-5 });
    }
  });

  it('sum, mean and addN keep their dtypes', () => {
    const body = () => {
      const results = [
        tf.sum(tf.tensor1d([true, true], 'bool')),
        tf.sum(tf.tensor1d([3, 4], 'int32')),
        tf.mean(tf.tensor1d([3, 4], 'int32')),
        tf.addN([tf.tensor1d([1, 2]), tf.tensor1d([1, 2]), tf.tensor1d([1, 2])]),
        tf.addN([tf.tensor1d([1], 'int32'), tf.tensor1d([1], 'int32')]),
      ];
      return [...results, tf.tensor1d(results.map(({ dtype }) => Number(dtype === 'int32')))];
    };
    expectClose(on('ostinato-cpu', body), on('cpu', body));
  });

  it('softmax matches the stock one, also far from zero', () => {
    for (const shape of [[1], [3, 1], [2, 3, 17], [4, 4]]) {
      const body = () => [tf.softmax(tf.add(tensor(1, shape, 40), 1e4))];
      expectClose(on('ostinato-cpu', body), on('cpu', body), { absolute: 1e-6 });
    }
  });

  it('transposes', () => {
    for (const [shape, perm] of [
      [
        [33, 70],
        [1, 0],
      ],
      [
        [3, 5, 40],
        [0, 2, 1],
      ],
      [
        [2, 3, 4, 5],
        [0, 2, 1, 3],
      ],
      [
        [4, 3, 2],
        [2, 0, 1],
      ],
    ] as const) {
      const body = () => [tf.transpose(tensor(1, [...shape]), [...perm])];
      expectClose(on('ostinato-cpu', body), on('cpu', body), { absolute: 0, relative: 0 });
    }
  });
});
