// Gathers and scatters by several indices, one-hot rows, running sums and the largest of each row against the stock backend.
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { OstinatoCpuBackend } from '../src/index.ts';
import { on, tensor } from './support.ts';

// Other tests may run in the same file, and leave another backend behind.
beforeEach(() => tf.setBackend('ostinato-cpu'));

/** Values as plain numbers: the stock kernels keep some integers in arrays of floats. */
const listed = (backend: string, body: () => tf.Tensor[]) =>
  on(backend, body).map(({ shape, values }) => ({ shape, values: [...values] }));

function alike(body: () => tf.Tensor[]): void {
  expect(listed('ostinato-cpu', body)).toEqual(listed('cpu', body));
}

/** Whole numbers from `low`, below `low + size`. */
const whole = (seed: number, shape: number[], size: number, low = 0): tf.Tensor =>
  tf.add(tf.cast(tf.floor(tf.mul(tf.add(tensor(seed, shape, 0.499), 0.5), size)), 'int32'), tf.scalar(low, 'int32'));

/** Indices [...count, rank] into the first axes of `shape`. */
const places = (seed: number, count: number[], shape: number[]): tf.Tensor =>
  tf.stack(
    shape.map((size, axis) => whole(seed + axis, count, size)),
    -1,
  );

const seed = fc.integer({ min: 1, max: 1000 });
const dtype = fc.constantFrom('float32' as const, 'int32' as const, 'bool' as const);
const size = fc.oneof(fc.integer({ min: 1, max: 5 }), fc.constantFrom(17, 33));
const slices = fc
  .record({
    shape: fc.array(size, { minLength: 1, maxLength: 4 }),
    count: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 2 }),
    ...{ seed, dtype },
  })
  .filter(({ shape }) => tf.util.sizeFromShape(shape) < 3000)
  .chain(c => fc.record({ c: fc.constant(c), rank: fc.integer({ min: 1, max: c.shape.length }) }))
  .map(({ c, rank }) => ({ ...c, rank }));

describe('slices by several indices are those of the stock backend', () => {
  it('gathered', () => {
    fc.assert(
      fc.property(slices, ({ shape, count, seed, dtype, rank }) =>
        alike(() => [
          tf.gatherND(tf.cast(tensor(seed, shape, 9), dtype), places(seed + 9, count, shape.slice(0, rank))),
        ]),
      ),
      { numRuns: 100 },
    );
  });

  it('added up, and written over', () => {
    fc.assert(
      fc.property(slices, ({ shape, count, seed, dtype, rank }) =>
        alike(() => {
          const indices = places(seed + 9, count, shape.slice(0, rank));
          const updates = tf.cast(tensor(seed, [...count, ...shape.slice(rank)], 9), dtype);
          const start = () => tf.cast(tensor(seed + 1, shape, 9), dtype);
          const updated = tf.tensorScatterUpdate(start(), indices, updates);
          return [tf.scatterND(indices, updates, shape as never), updated];
        }),
      ),
      { numRuns: 100 },
    );
  });

  it('written over in a copy (the stock kernel changes what it is given)', () => {
    const start = tensor(1, [5]);
    const before = [...start.dataSync()];
    tf.tensorScatterUpdate(start, tf.tensor2d([[3]], [1, 1], 'int32'), tf.tensor1d([7]));
    expect([...start.dataSync()]).toEqual(before);
  });

  it('of an array given by few values', () => {
    alike(() => {
      const indices = tf.tensor2d([0, 1, 2, 3, 1, 0], [3, 2], 'int32');
      const values = tf.tensor1d([4, 5, 6]);
      return [
        tf.sparseToDense(indices, values, [3, 4], 0.5),
        tf.sparseToDense(indices, tf.cast(values, 'int32'), [3, 4], tf.scalar(-1, 'int32')),
        tf.sparseToDense(indices, tf.scalar(7), [3, 4], 1),
        tf.sparseToDense(tf.tensor1d([4, 4, 0], 'int32'), values, [5]),
      ];
    });
  });

  it('large and narrow, large and wide', () => {
    alike(() => {
      const indices = whole(1, [9000, 1], 777);
      return [1, 3, 70].flatMap(width => [
        tf.scatterND(indices, tensor(width, [9000, width]), [777, width]),
        tf.gatherND(tensor(width, [777, width]), indices),
      ]);
    });
  });

  it('refuse an index outside in the words of the stock kernel', () => {
    for (const index of [-1, 3]) {
      const indices = tf.tensor2d([0, index], [2, 1], 'int32');
      const says = `Invalid indices: ${index} does not index into 3`;
      expect(() => tf.gatherND(tensor(1, [3, 4]), indices)).toThrow(says);
      expect(() => tf.scatterND(indices, tensor(1, [2, 4]), [3, 4])).toThrow(says);
      expect(() => tf.tensorScatterUpdate(tensor(1, [3, 4]), indices, tensor(2, [2, 4]))).toThrow(says);
    }
  });

  it('nothing to gather or scatter', () => {
    alike(() => {
      const none = tf.tensor2d([], [0, 1], 'int32');
      return [tf.gatherND(tensor(1, [3, 4]), none), tf.scatterND(none, tf.tensor2d([], [0, 4]), [3, 4])];
    });
  });
});

describe('one-hot rows are those of the stock backend', () => {
  it('of any dtype and values, indices outside among them', () => {
    const shapes = fc.record({
      shape: fc.array(fc.constantFrom(0, 1, 2, 7, 33), { maxLength: 3 }),
      depth: fc.integer({ min: 2, max: 40 }),
      values: fc.constantFrom(
        [1, 0] as const,
        [-3, 2] as const,
        [0.25, -0.5] as const,
        [Number.NaN, Infinity] as const,
      ),
      ...{ seed, dtype },
    });
    fc.assert(
      fc.property(shapes, ({ shape, depth, values: [on, off], seed, dtype }) =>
        alike(() => [
          tf.cast(tf.oneHot(whole(seed, shape, depth + 4, -2), depth, on, off, dtype as 'int32'), 'float32'),
        ]),
      ),
      { numRuns: 100 },
    );
    expect(tf.oneHot([1, 0], 2).dtype).toBe('int32');
  });
});

const special = (seed: number, shape: number[]): tf.Tensor => {
  const odd = [Number.NaN, Infinity, -Infinity, 0, -0];
  const values = tensor(seed, shape, 4).dataSync();
  return tf.tensor(
    values.map((value, i) => (i % 5 === seed % 5 ? odd[i % odd.length]! : value)),
    shape,
  );
};

describe('running sums and products are those of the stock backend, to the bit', () => {
  it('along any axis, either way, with and without the value itself', () => {
    const cases = fc
      .record({
        shape: fc.array(fc.constantFrom(0, 1, 2, 3, 5, 17, 33), { minLength: 1, maxLength: 4 }),
        ...{ exclusive: fc.boolean(), reverse: fc.boolean(), isSpecial: fc.boolean(), seed, dtype },
      })
      .filter(({ shape }) => tf.util.sizeFromShape(shape) < 3000);
    fc.assert(
      fc.property(cases, ({ shape, exclusive, reverse, isSpecial, seed, dtype }) =>
        alike(() => {
          const x = isSpecial ? special(seed, shape) : tensor(seed, shape, 3);
          const y = dtype === 'float32' ? x : tf.cast(tensor(seed, shape, 3e9), dtype);
          return [...shape.keys()].flatMap(axis => [
            tf.cumsum(y, axis, exclusive, reverse),
            tf.cumprod(y, axis, exclusive, reverse),
          ]);
        }),
      ),
      { numRuns: 100 },
    );
  });

  it('gradient of a running sum', () => {
    alike(() => [tf.grad(x => tf.cumsum(x, 1, true))(tensor(1, [5, 7]), tensor(2, [5, 7]))]);
  });
});

describe('the largest of each row', () => {
  it('are those of the stock backend, of equals the first', () => {
    const cases = fc
      .record({
        rows: fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 2 }),
        size: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.constantFrom(64, 65, 300, 700)),
        ...{ seed, dtype, levels: fc.constantFrom(3, 1e6) },
      })
      .chain(c => fc.record({ c: fc.constant(c), k: fc.integer({ min: 1, max: c.size }) }));
    fc.assert(
      fc.property(cases, ({ c: { rows, size, seed, dtype, levels }, k }) =>
        alike(() => {
          const x = tf.cast(tf.round(tensor(seed, [...rows, size], levels)), dtype);
          const { values, indices } = tf.topk(x, k);
          return [values, indices];
        }),
      ),
      { numRuns: 100 },
    );
  });

  it('rank infinities, zeros of both signs and NaN', () => {
    const x = tf.tensor1d([Number.NaN, -0, -Infinity, 0, Infinity, Number.NaN, 3, -Infinity, Infinity]);
    const { values, indices } = tf.topk(x, 9);
    expect([...indices.dataSync()]).toEqual([4, 8, 6, 1, 3, 2, 7, 0, 5]);
    expect([...values.dataSync()]).toEqual([
      Infinity,
      Infinity,
      3,
      -0,
      0,
      -Infinity,
      -Infinity,
      Number.NaN,
      Number.NaN,
    ]);
    const long = tf.concat([tf.fill([70], Number.NaN), tf.fill([70], -Infinity), tf.range(0, 200)]);
    expect([...tf.topk(long, 3).indices.dataSync()]).toEqual([339, 338, 337]);
    expect([...tf.topk(long, 202).indices.dataSync().slice(-3)]).toEqual([140, 70, 71]);
  });

  it('of rising and falling rows', () => {
    for (const x of [tf.range(0, 5000), tf.range(4999, -1, -1)])
      for (const k of [1, 50, 4999, 5000]) {
        const { values, indices } = tf.topk(x, k);
        const expected = Array.from({ length: k }, (_, i) => 4999 - i);
        expect([...values.dataSync()]).toEqual(expected);
        expect([...tf.gather(x, indices).dataSync()]).toEqual(expected);
      }
  });
});

describe('all of these', () => {
  it('the same bits for any number of threads and any build', () => {
    const names = ([1, 2, 3] as const).flatMap(threads =>
      (['auto', 'off'] as const).map(native => {
        const name = `scatter-${threads}-${native}`;
        tf.registerBackend(name, () => new OstinatoCpuBackend({ threads, native }));
        tf.copyRegisteredKernels('ostinato-cpu', name);
        return name;
      }),
    );
    const body = () => {
      const [x, ids] = [tensor(1, [1001, 1101]), whole(2, [1001, 1], 90)];
      const { values, indices } = tf.topk(x, 7);
      const narrow = tf.scatterND(whole(3, [1_100_000, 1], 90), tensor(4, [1_100_000]), [90]);
      return [
        ...[tf.gatherND(x, ids), tf.scatterND(ids, x, [90, 1101]), narrow, values, indices],
        ...[tf.cumsum(x, 0), tf.cumsum(x, 1, true), tf.cumprod(x, 1), tf.cumsum(tf.cast(tf.mul(x, 9), 'int32'), 1)],
        ...[tf.oneHot(tf.reshape(ids, [1001]), 1100), tf.tensorScatterUpdate(x, ids, tf.neg(x))],
      ];
    };
    const bits = (name: string) => on(name, body).map(({ values: { buffer } }) => Buffer.from(buffer));
    try {
      const expected = bits(names[0]!);
      for (const name of names.slice(1))
        for (const [i, got] of bits(name).entries()) expect(got.equals(expected[i]!), `${name} ${i}`).toBe(true);
    } finally {
      for (const name of names) tf.removeBackend(name);
    }
  }, 60_000);

  it('leave nothing behind, refusals too', () => {
    const [x, ids, outside] = [tensor(1, [20, 7]), whole(2, [9, 1], 20), tf.tensor2d([20], [1, 1], 'int32')];
    const use = () =>
      tf.tidy(() => {
        tf.gatherND(x, ids);
        tf.scatterND(ids, tensor(3, [9, 7]), [20, 7]);
        tf.tensorScatterUpdate(x, ids, tensor(3, [9, 7]));
        tf.oneHot(tf.reshape(ids, [9]), 20);
        tf.topk(x, 3);
        tf.cumsum(x, 1);
        expect(() => tf.gatherND(x, outside)).toThrow('Invalid indices');
      });
    const allocated = () => (tf.memory() as unknown as { allocatedBytes: number }).allocatedBytes;
    use();
    const [before, { numTensors }] = [allocated(), tf.memory()];
    use();
    expect(allocated()).toBe(before);
    expect(tf.memory().numTensors).toBe(numTensors);
    tf.dispose([x, ids, outside]);
  });
});
