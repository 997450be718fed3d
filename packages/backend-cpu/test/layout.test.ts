// Ops that only move values, against the stock backend, to the bit.
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import '../src/index.ts';
import { on } from './support.ts';

beforeAll(() => tf.setBackend('ostinato-cpu'));

/** Distinct values of a shape, −0 and NaN among the floats. */
function counted(shape: number[], dtype: 'float32' | 'int32' | 'bool' = 'float32'): tf.Tensor {
  const values = Array.from({ length: tf.util.sizeFromShape(shape) }, (_, i) => i - 3);
  if (dtype === 'bool')
    return tf.tensor(
      values.map(value => value % 3 === 0),
      shape,
      dtype,
    );
  if (dtype === 'float32') values.splice(0, 2, Number.NaN, -0);
  return tf.tensor(values.slice(0, tf.util.sizeFromShape(shape)), shape, dtype);
}

function expectStock(body: () => tf.Tensor[]): void {
  expect(on('ostinato-cpu', body)).toEqual(on('cpu', body));
}

const dtype = fc.constantFrom('float32' as const, 'int32' as const, 'bool' as const);
const dimension = fc.oneof(fc.integer({ min: 0, max: 5 }), fc.constantFrom(1, 33, 40));
const shapes = fc
  .array(dimension, { minLength: 1, maxLength: 4 })
  .filter(shape => shape.reduce((size, one) => size * Math.max(one, 1), 1) < 3000);
const some = { numRuns: 150 };

describe('layouts are those of the stock backend', () => {
  it('transposed in every way', () => {
    const cases = shapes.chain(shape =>
      fc.record({
        shape: fc.constant(shape),
        perm: fc.shuffledSubarray([...shape.keys()], { minLength: shape.length }),
        dtype,
      }),
    );
    fc.assert(
      fc.property(cases, c => expectStock(() => [tf.transpose(counted(c.shape, c.dtype), c.perm)])),
      some,
    );
    expectStock(() => [tf.transpose(counted([2, 3, 1, 2, 3, 2]), [5, 0, 3, 1, 4, 2])]);
  });

  it('cut, padded, repeated and reversed', () => {
    const ends = fc.array(fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 3 })), {
      minLength: 4,
      maxLength: 4,
    });
    fc.assert(
      fc.property(shapes, ends, dtype, (shape, both, type) => {
        expectStock(() => {
          const x = counted(shape, type);
          const begin = shape.map((size, axis) => Math.min(size, both[axis]![0]));
          const size = shape.map((whole, axis) => Math.max(0, whole - begin[axis]! - both[axis]![1]));
          const paddings = shape.map((_, axis) => both[axis]!);
          const turned = [...shape.keys()].filter(axis => both[axis]![0] % 2 === 0);
          const reps = shape.map((_, axis) => both[axis]![1]);
          return [
            tf.slice(x, begin, size),
            tf.pad(x, paddings, type === 'bool' ? 0 : 7),
            tf.tile(x, reps),
            tf.reverse(x, turned),
          ];
        });
      }),
      some,
    );
  });

  it('parted', () => {
    const cases = shapes.chain(shape =>
      fc.record({
        ...{ shape: fc.constant(shape), axis: fc.integer({ min: 0, max: shape.length - 1 }), dtype },
        share: fc.double({ min: 0, max: 1, noNaN: true }),
      }),
    );
    fc.assert(
      fc.property(cases, ({ shape, axis, dtype: type, share }) => {
        const first = Math.floor(share * shape[axis]!);
        expectStock(() => tf.split(counted(shape, type), [first, shape[axis]! - first], axis));
        expectStock(() => tf.split(counted(shape, type), 1, axis - shape.length));
      }),
      some,
    );
  });

  it('joined', () => {
    const cases = shapes.chain(shape =>
      fc.record({
        ...{ shape: fc.constant(shape), axis: fc.integer({ min: 0, max: shape.length - 1 }), dtype },
        sizes: fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 4 }),
      }),
    );
    fc.assert(
      fc.property(cases, ({ shape, axis, sizes, ...c }) => {
        expectStock(() => [
          tf.concat(
            sizes.map(size => counted(shape.with(axis, size), c.dtype)),
            axis,
          ),
          tf.stack(
            sizes.map(() => counted(shape, c.dtype)),
            axis - 1,
          ),
          ...(shape[axis]! > 0 ? tf.unstack(counted(shape, c.dtype), axis) : []),
        ]);
      }),
      some,
    );
  });

  it('refuse what the stock backend refuses', () => {
    expect(() => tf.slice(counted([2, 3]), [0, 2], [2, 2])).toThrow(/slice/i);
    expect(() => tf.concat([counted([2, 3]), counted([3, 2])], 0)).toThrow(/concat/i);
  });

  it('leave nothing behind', () => {
    const x = counted([7, 5, 3]);
    const { numTensors, numBytes } = tf.memory();
    const allocated = () => (tf.memory() as unknown as { allocatedBytes: number }).allocatedBytes;
    const move = () =>
      tf.dispose([
        tf.transpose(x, [1, 2, 0]),
        tf.slice(x, [1, 1, 1], [2, 2, 2]),
        tf.concat([x, x], 1),
        tf.tile(x, [2, 1, 2]),
      ]);
    move();
    const before = allocated();
    move();
    expect(tf.memory()).toMatchObject({ numTensors, numBytes });
    expect(allocated()).toBe(before);
    x.dispose();
  });
});
