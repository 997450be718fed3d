// Reductions against the stock backend.
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { OstinatoCpuBackend } from '../src/index.ts';
import { expectClose, on, tensor } from './support.ts';

beforeAll(() => tf.setBackend('ostinato-cpu'));

/** Values with many equals, zeros of both signs, and NaN or infinities if asked for. */
function tied(seed: number, shape: number[], special: boolean): tf.Tensor {
  const values = tensor(seed, shape, 4).dataSync();
  const others = [Number.NaN, Infinity, -Infinity];
  return tf.tensor(
    values.map((value, i) => (special && i % 7 === seed % 7 ? others[i % 3]! : Math.round(value) * (i % 2 ? 1 : -1))),
    shape,
  );
}

const dimension = fc.oneof(fc.integer({ min: 0, max: 5 }), fc.constantFrom(1, 17, 33, 70));
const cases = fc
  .array(dimension, { minLength: 1, maxLength: 5 })
  .filter(shape => shape.reduce((size, one) => size * Math.max(one, 1), 1) < 4000)
  .chain(shape =>
    fc.record({
      shape: fc.constant(shape),
      axes: fc.shuffledSubarray([...shape.keys()]),
      keepDims: fc.boolean(),
      special: fc.boolean(),
      seed: fc.integer({ min: 1, max: 1000 }),
    }),
  );

describe('reductions are those of the stock backend', () => {
  it('extremes and products over any axes, to the bit', () => {
    fc.assert(
      fc.property(cases, ({ shape, axes, keepDims, special, seed }) => {
        const body = () => {
          const [x, y] = [tied(seed, shape, special), tensor(seed, shape, 3)];
          const found = [tf.max(x, axes, keepDims), tf.min(x, axes, keepDims), tf.prod(x, axes, keepDims)];
          // Of zeros of both signs the stock kernels keep the first along the axes in their given order, which says nothing of ours.
          const ascending = axes.every((axis, i) => i === 0 || axis > axes[i - 1]!);
          return [...(ascending ? found : found.map(one => tf.add(one, 0))), tf.prod(y, axes)];
        };
        expect(on('ostinato-cpu', body)).toEqual(on('cpu', body));
      }),
      { numRuns: 150 },
    );
  });

  it('sums and means over any axes', () => {
    fc.assert(
      fc.property(cases, ({ shape, axes, keepDims, seed }) => {
        const body = () => [tf.sum(tensor(seed, shape), axes, keepDims), tf.mean(tensor(seed, shape), axes, keepDims)];
        expectClose(on('ostinato-cpu', body), on('cpu', body));
      }),
      { numRuns: 100 },
    );
  });

  it('places: the first of equals, whatever is NaN', () => {
    fc.assert(
      fc.property(cases, ({ shape, special, seed }) => {
        const body = () =>
          [...shape.keys()].flatMap(axis => [
            tf.argMax(tied(seed, shape, special), axis),
            tf.argMin(tied(seed, shape, special), axis),
          ]);
        expect(on('ostinato-cpu', body)).toEqual(on('cpu', body));
      }),
      { numRuns: 100 },
    );
    expect(tf.argMax(tensor(1, [3, 700]), 1).dtype).toBe('int32');
  });

  it('any and all of bools', () => {
    fc.assert(
      fc.property(cases, ({ shape, axes, keepDims, seed }) => {
        const body = () => {
          const x = tensor(seed, shape);
          return [0.9, -0.9].flatMap(bound => {
            const bools = tf.greater(x, bound);
            return [tf.any(bools, axes, keepDims), tf.all(bools, axes, keepDims)];
          });
        };
        expect(on('ostinato-cpu', body)).toEqual(on('cpu', body));
      }),
      { numRuns: 100 },
    );
  });

  it('the same bits for any number of threads and any build', () => {
    const names = ([1, 2, 3] as const).flatMap(threads =>
      (['auto', 'off'] as const).map(native => {
        const name = `reduction-${threads}-${native}`;
        tf.registerBackend(name, () => new OstinatoCpuBackend({ threads, native }));
        tf.copyRegisteredKernels('ostinato-cpu', name);
        return name;
      }),
    );
    const body = () => {
      const [x, y] = [tied(5, [1100, 1001], false), tensor(6, [1, 1_101_101])];
      const z = tf.reshape(tensor(7, [1_101_100]), [10, 11, 10, 1001]);
      return [
        ...[tf.max(x, 1), tf.min(x, 0), tf.max(y), tf.min(x), tf.prod(x, 0), tf.prod(tf.add(y, 1)), tf.max(z, [0, 2])],
        ...[
          tf.argMax(x, 1),
          tf.argMin(x, 0),
          tf.argMax(y, 1),
          tf.sum(z, [0, 2]),
          tf.mean(z, [1, 3]),
          tf.prod(z, [0, 3]),
          tf.all(tf.greater(z, -0.99), [0, 2]),
          tf.any(tf.greater(x, 3.99), 1),
        ],
      ];
    };
    try {
      const expected = on(names[0]!, body).map(({ values }) => [...new Uint8Array(values.slice().buffer)]);
      for (const name of names.slice(1)) {
        const got = on(name, body).map(({ values }) => [...new Uint8Array(values.slice().buffer)]);
        for (const [i, bits] of got.entries())
          expect(
            bits.every((bit, j) => bit === expected[i]![j]),
            `${name} ${i}`,
          ).toBe(true);
      }
    } finally {
      for (const name of names) tf.removeBackend(name);
    }
  }, 60_000);

  it('leave nothing behind', () => {
    const x = tensor(1, [5, 20, 3, 7]);
    const reduce = () =>
      tf.dispose([tf.max(x, [0, 2]), tf.prod(x, [1, 3]), tf.sum(x, [0, 3]), tf.argMin(x, 1), tf.mean(x, [0, 2])]);
    const allocated = () => (tf.memory() as unknown as { allocatedBytes: number }).allocatedBytes;
    reduce();
    const [before, { numTensors }] = [allocated(), tf.memory()];
    reduce();
    expect(allocated()).toBe(before);
    expect(tf.memory().numTensors).toBe(numTensors);
    x.dispose();
  });
});
