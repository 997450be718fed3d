// Broadcasting of any shapes, comparisons, choices, logic and conversions against the stock backend, to the bit; the same on
// several threads.
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import '../src/index.ts';
import { OstinatoCpuBackend } from '../src/index.ts';
import { expectClose, on, runKernel, tensor } from './support.ts';

beforeAll(() => tf.setBackend('ostinato-cpu'));

const special = [Number.NaN, Infinity, -Infinity, 0, -0, 1, -1, 0.5, -0.5, 1e-40, 2.5, -2.5, 0.7, -0.7, 200, -200];

/** Values with many that are equal, special ones among them. */
function coarse(seed: number, shape: number[]): tf.Tensor {
  const size = tf.util.sizeFromShape(shape);
  const values = Float32Array.from({ length: size }, (_, i) => special[(i * (2 * seed + 1) + seed) % special.length]!);
  return tf.tensor(values, shape);
}

const flags = (seed: number, shape: number[]): tf.Tensor =>
  tf.tensor(
    Array.from({ length: tf.util.sizeFromShape(shape) }, (_, i) => (i * (seed + 2) + seed) % 3 === 0),
    shape,
    'bool',
  );

function expectStock(body: () => tf.Tensor[]): void {
  const all = () => {
    const tensors = body();
    return [...tensors, tf.tensor1d(tensors.map(({ dtype }) => ['float32', 'int32', 'bool'].indexOf(dtype)))];
  };
  expectClose(on('ostinato-cpu', all), on('cpu', all), { absolute: 0, relative: 0 });
}

/** A shape and two that broadcast to it. */
const pairs = fc
  .array(fc.tuple(fc.constantFrom(0, 1, 2, 3, 4, 7, 19), fc.constantFrom(0, 1, 2)), { maxLength: 5 })
  .filter(axes => axes.reduce((size, [one]) => size * Math.max(one, 1), 1) < 4000)
  .chain(axes => {
    const a = axes.map(([size, which]) => (which === 1 ? 1 : size));
    const b = axes.map(([size, which]) => (which === 2 ? 1 : size));
    const cut = fc.nat({ max: b.length });
    return fc.tuple(fc.constant(a), cut, fc.boolean()).map(([left, from, swap]) => {
      const leading = b.slice(0, from).every(size => size === 1) ? b.slice(from) : b;
      return (swap ? [leading, left] : [left, leading]) as [number[], number[]];
    });
  });
const some = { numRuns: 120 };

const { equal, notEqual, less, lessEqual, greater, greaterEqual } = tf;

describe('two operands of any shapes', () => {
  it('arithmetic broadcasts', () => {
    const { add, sub, mul, div, maximum, minimum } = tf;
    fc.assert(
      fc.property(pairs, fc.constantFrom(add, sub, mul, div, maximum, minimum), ([a, b], op) => {
        const body = () => [op(tensor(1, a), tf.add(tensor(2, b), 3))];
        expectClose(on('ostinato-cpu', body), on('cpu', body), { absolute: 0, relative: 1e-6 });
      }),
      some,
    );
  });

  it('squared difference, PReLU and the slope of ELU', () => {
    fc.assert(
      fc.property(pairs, ([a, b]) => {
        const body = () => [tf.squaredDifference(tensor(1, a), tensor(2, b)), tf.prelu(tensor(1, a), tensor(2, b))];
        expectClose(on('ostinato-cpu', body), on('cpu', body), { absolute: 1e-12, relative: 1e-6 });
      }),
      some,
    );
    const slope = () => runKernel('EluGrad', { dy: tensor(1, [7, 9]), y: tf.elu(tensor(2, [7, 9], 3)) });
    expectClose(on('ostinato-cpu', slope), on('cpu', slope), { absolute: 1e-7, relative: 1e-6 });
  });

  it.each(Object.entries({ equal, notEqual, less, lessEqual, greater, greaterEqual }))('%s', (_, op) => {
    fc.assert(
      fc.property(pairs, ([a, b]) => expectStock(() => [op(coarse(1, a), coarse(2, b))])),
      some,
    );
  });

  it('logic of bools', () => {
    fc.assert(
      fc.property(pairs, ([a, b]) => {
        expectStock(() => {
          const [x, y] = [flags(1, a), flags(2, b)];
          return [tf.logicalAnd(x, y), tf.logicalOr(x, y), tf.logicalXor(x, y), tf.logicalNot(x)];
        });
      }),
      some,
    );
  });

  it('other dtypes are left to the stock kernels', () => {
    expectStock(() => {
      const [a, b] = [tf.tensor1d([1, 2, 16_777_217], 'int32'), tf.tensor1d([1, 3, 16_777_216], 'int32')];
      return [tf.equal(a, b), tf.less(a, b), tf.equal(flags(1, [3]), flags(2, [3])), tf.greater(a, 1.5)];
    });
    const body = () => [tf.equal(tf.tensor1d(['a', 'b']), tf.tensor1d(['a', 'c']))];
    expect(on('ostinato-cpu', body)).toEqual(on('cpu', body));
  });

  it('more than one block of rows and of columns', () => {
    for (const [a, b] of [
      [
        [2, 1, 9001],
        [3, 1],
      ],
      [
        [40, 1, 35],
        [70, 1],
      ],
      [[9001], [9001]],
      [
        [3, 1, 2, 1],
        [2, 1, 5000],
      ],
    ] as [number[], number[]][]) {
      expectStock(() => [tf.maximum(tensor(1, a), tensor(2, b)), tf.less(tensor(1, a), tensor(2, b))]);
    }
  });
});

describe('choices', () => {
  it('where', () => {
    fc.assert(
      fc.property(pairs, fc.constantFrom('float32' as const, 'int32' as const, 'bool' as const), ([a, b], dtype) => {
        expectStock(() => [
          tf.where(flags(1, a) as never, tf.cast(tensor(1, b, 9), dtype), tf.cast(tensor(2, b, 9), dtype)),
        ]);
      }),
      some,
    );
  });

  it('where of a condition for each row, as the stock kernel', () => {
    const inputs = () => ({ condition: flags(1, [3]), t: tensor(1, [3, 2]), e: tensor(2, [3, 2]) });
    expectStock(() => runKernel('Select', inputs()));
  });

  it('gradients', () => {
    const x = () => tensor(1, [5, 7], 9);
    const f = (value: tf.Tensor) =>
      tf.mul(tf.where(flags(1, [5, 7]) as never, tf.square(value), value), tensor(3, [7]));
    for (const op of [f, tf.relu6, tf.leakyRelu, tf.elu, tf.softplus, (v: tf.Tensor) => tf.clipByValue(v, -2, 3)]) {
      const body = () => [tf.grad(v => tf.sum(op(v)))(x())];
      expectClose(on('ostinato-cpu', body), on('cpu', body), { absolute: 1e-6 });
    }
  });
});

describe('conversions', () => {
  const wide = [
    ...special,
    2 ** 31,
    -(2 ** 31),
    2 ** 31 - 128,
    3e9,
    -3e9,
    5e9,
    2 ** 55,
    -(2 ** 54) - 2 ** 31,
    3e38,
    1.9,
  ];

  it('cast', () => {
    for (const size of [0, 1, 3, 17, 26, 1003]) {
      expectStock(() => {
        const x = tf.tensor1d(Float32Array.from({ length: size }, (_, i) => wide[i % wide.length]!));
        const whole = tf.tensor1d(
          Int32Array.from({ length: size }, (_, i) => (i % 2 === 0 ? 1 : -1) * i * 7919),
          'int32',
        );
        const bool = flags(1, [size]);
        return [
          ...[tf.cast(x, 'int32'), tf.cast(x, 'bool'), tf.cast(x, 'float32')],
          ...[tf.cast(whole, 'float32'), tf.cast(whole, 'bool'), tf.cast(bool, 'float32'), tf.cast(bool, 'int32')],
          tf.add(tf.cast(tf.cast(bool, 'int32'), 'float32'), 1),
        ];
      });
    }
    expectStock(() => [tf.cast(tf.scalar(-2.5), 'int32'), tf.cast(tf.scalar(true), 'float32')]);
  });

  it('complex numbers as the stock backend', () => {
    const body = () => [tf.real(tf.cast(tf.tensor1d([1, 2]), 'complex64')), tf.cast(tf.complex([1.5], [3]), 'int32')];
    expectClose(on('ostinato-cpu', body), on('cpu', body));
  });
});

describe('exact functions', () => {
  const values = () => tf.concat([tf.tensor1d([...special, 8_388_609, -8_388_609, 3e38]), tensor(1, [1003], 9).as1D()]);
  const { reciprocal, floor, ceil, sign, isNaN: isNan } = tf;

  it.each(Object.entries({ reciprocal, floor, ceil, sign, isNan }))('%s', (_, op) => {
    expectStock(() => [op(values()), op(tensor(2, [3], 2)), op(tf.tensor2d([], [0, 3]))]);
  });

  it('clip, leaky ReLU and steps', () => {
    for (const [low, high] of [
      [-1, 1],
      [0.1, 0.7],
      [-Infinity, 0.3],
    ] as const) {
      expectStock(() => [tf.clipByValue(values(), low, high), tf.clipByValue(tf.scalar(Number.NaN), low, high)]);
    }
    expectStock(() => [tf.clipByValue(tf.tensor1d([1, 5], 'int32'), 2, 3), tf.step(values(), 0.25)]);
    const body = () => [tf.leakyRelu(values()), tf.leakyRelu(values(), 0.01), tf.leakyRelu(tf.tensor1d([-4], 'int32'))];
    expectClose(on('ostinato-cpu', body), on('cpu', body), { absolute: 0, relative: 2e-7 });
  });
});

it('threads and builds give the same bits, and nothing is left behind', () => {
  const body = () => {
    const [a, b] = [tensor(1, [300, 1, 70], 9), tensor(2, [1, 60, 1], 9)];
    const mask = tf.less(a, b);
    const sum = tf.add(a, b);
    const bits = [tf.where(mask as never, sum, tf.neg(sum)), tf.cast(mask, 'float32'), tf.cast(sum, 'int32')];
    return [...bits, tf.logicalAnd(mask, tf.logicalNot(tf.equal(sum, 0))), tf.ceil(sum), tf.clipByValue(sum, -1, 1)];
  };
  // As bytes: a comparison of millions of elements by the test runner takes a minute.
  const bytes = (name: string) =>
    on(name, body).map(({ values }) => Buffer.from(values.buffer, values.byteOffset, values.byteLength));
  const expected = bytes('ostinato-cpu');
  for (const [threads, native] of [
    [1, 'auto'],
    [2, 'auto'],
    [3, 'auto'],
    [2, 'off'],
  ] as const) {
    const name = `comparison-${threads}-${native}`;
    const backend = new OstinatoCpuBackend({ threads, native });
    tf.registerBackend(name, () => backend);
    tf.copyRegisteredKernels('ostinato-cpu', name);
    expect(bytes(name).map((one, index) => one.equals(expected[index]!))).toEqual(expected.map(() => true));
    tf.removeBackend(name);
  }
  const before = tf.memory();
  on('ostinato-cpu', body);
  const { numTensors, numDataBuffers } = tf.memory();
  expect([numTensors, numDataBuffers]).toEqual([before.numTensors, before.numDataBuffers]);
});
