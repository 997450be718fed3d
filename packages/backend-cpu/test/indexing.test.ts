// Gathers and sums by segment against the stock backend.
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { OstinatoCpuBackend } from '../src/index.ts';
import { expectClose, on, tensor } from './support.ts';

beforeAll(() => tf.setBackend('ostinato-cpu'));

const indicesOf = (seed: number, shape: number[], size: number): tf.Tensor =>
  tf.cast(tf.floor(tf.mul(tf.add(tensor(seed, shape, 0.499), 0.5), size)), 'int32');

const cases = fc
  .record({
    shape: fc.array(fc.oneof(fc.integer({ min: 1, max: 5 }), fc.constantFrom(17, 33)), { minLength: 1, maxLength: 4 }),
    more: fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 0, maxLength: 2 }),
    seed: fc.integer({ min: 1, max: 1000 }),
    dtype: fc.constantFrom('float32' as const, 'int32' as const, 'bool' as const),
  })
  .filter(({ shape }) => shape.reduce((size, one) => size * one, 1) < 3000)
  .chain(c => fc.record({ c: fc.constant(c), axis: fc.integer({ min: 0, max: c.shape.length - 1 }) }))
  .chain(({ c, axis }) => fc.record({ c: fc.constant({ ...c, axis }), batchDims: fc.integer({ min: 0, max: axis }) }));

describe('gathers and their gradient are those of the stock backend', () => {
  it('along any axis, in batches', () => {
    fc.assert(
      fc.property(cases, ({ c: { shape, more, seed, dtype, axis }, batchDims }) => {
        const body = () => {
          const indices = indicesOf(seed, [...shape.slice(0, batchDims), ...more], shape[axis]!);
          return [tf.gather(tf.cast(tensor(seed, shape, 9), dtype), indices, axis, batchDims)];
        };
        expect(on('ostinato-cpu', body)).toEqual(on('cpu', body));
      }),
      { numRuns: 150 },
    );
  });

  it('refuse an index outside in the words of the stock kernel', () => {
    for (const index of [-1, 3]) {
      const gather = () => tf.gather(tensor(1, [3, 4]), tf.tensor1d([0, index], 'int32'));
      expect(gather).toThrow(`GatherV2: the index value ${index} is not in [0, 2]`);
    }
  });

  it('segments, of which some do not exist', () => {
    const shapes = fc.record({
      rows: fc.integer({ min: 1, max: 40 }),
      rest: fc.array(fc.constantFrom(0, 1, 3, 17), { maxLength: 2 }),
      segments: fc.integer({ min: 1, max: 9 }),
      seed: fc.integer({ min: 1, max: 1000 }),
    });
    fc.assert(
      fc.property(shapes, ({ rows, rest, segments, seed }) => {
        const body = () => {
          const ids = tf.sub(indicesOf(seed, [rows], segments + 4), tf.scalar(2, 'int32')) as tf.Tensor1D;
          return [tf.unsortedSegmentSum(tensor(seed, [rows, ...rest]), ids, segments)];
        };
        expectClose(on('ostinato-cpu', body), on('cpu', body));
      }),
      { numRuns: 60 },
    );
  });

  it('gradient of a gather', () => {
    const body = () => {
      const ids = tf.tensor1d([4, 0, 4, 4, 2], 'int32');
      return [0, 1].map(axis => tf.grad(x => tf.sum(tf.square(tf.gather(x, ids, axis))))(tensor(3, [5, 5, 3])));
    };
    expectClose(on('ostinato-cpu', body), on('cpu', body));
  });

  it('the same bits for any number of threads and any build', () => {
    const names = ([1, 3] as const).flatMap(threads =>
      (['auto', 'off'] as const).map(native => {
        const name = `indexing-${threads}-${native}`;
        tf.registerBackend(name, () => new OstinatoCpuBackend({ threads, native }));
        tf.copyRegisteredKernels('ostinato-cpu', name);
        return name;
      }),
    );
    const body = () => {
      const [x, ids] = [tensor(1, [1001, 1101]), indicesOf(2, [1001], 90) as tf.Tensor1D];
      return [tf.gather(x, ids), tf.gather(x, ids, 1), tf.unsortedSegmentSum(x, ids, 80)];
    };
    try {
      const expected = on(names[0]!, body);
      for (const name of names.slice(1))
        for (const [i, { values }] of on(name, body).entries())
          expect(
            Buffer.compare(Buffer.from(values.buffer), Buffer.from(expected[i]!.values.buffer)),
            `${name} ${i}`,
          ).toBe(0);
    } finally {
      for (const name of names) tf.removeBackend(name);
    }
  }, 60_000);
});
