import { allClose, expectNoLeak } from '@ostinato/testing';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import {
  ArgumentError,
  constant,
  fanInUniform,
  glorotNormal,
  glorotUniform,
  heNormal,
  heUniform,
  type Initializer,
  identity,
  lecunNormal,
  lecunUniform,
  normal,
  ones,
  orthogonal,
  perGate,
  Rng,
  spectralRadius,
  truncatedNormal,
  uniform,
  zeros,
} from '../src/index.ts';

/** Fan-in 40, fan-out 60. */
const shape = [40, 60];

function draw(initializer: Initializer, of: readonly number[] = shape, seed = 1): Float32Array {
  return tf.tidy(() => initializer(of, new Rng(seed)).dataSync()) as Float32Array;
}

const mean = (values: ArrayLike<number>): number => Array.from(values).reduce((sum, x) => sum + x, 0) / values.length;
const variance = (values: Float32Array): number => mean(values.map(x => x * x)) - mean(values) ** 2;
const largest = (values: Float32Array): number => values.reduce((most, x) => Math.max(most, Math.abs(x)), 0);

describe('constants', () => {
  it.each([
    ['zeros', zeros, 0],
    ['ones', ones, 1],
    ['constant', constant(-2.5), -2.5],
  ] as const)('%s', (_, initializer, value) => {
    const tensor = initializer([2, 3], new Rng(0));
    expect([tensor.shape, tensor.dtype]).toEqual([[2, 3], 'float32']);
    expect([...tensor.dataSync()]).toEqual(new Array(6).fill(value));
  });
});

// Bound b of a uniform distribution on ±b, whose variance is b²/3.
describe.each([
  ['uniform', uniform(-0.3, 0.3), 0.3],
  ['glorotUniform', glorotUniform, Math.sqrt(6 / (40 + 60))],
  ['heUniform', heUniform, Math.sqrt(6 / 40)],
  ['lecunUniform', lecunUniform, Math.sqrt(3 / 40)],
  ['fanInUniform', fanInUniform(), 1 / Math.sqrt(40)],
  ['fanInUniform of a given fan-in', fanInUniform(10), 1 / Math.sqrt(10)],
] as const)('%s', (_, initializer, bound) => {
  it(`lies within ±${bound.toFixed(4)} and fills it`, () => {
    const values = draw(initializer);
    expect(largest(values)).toBeLessThanOrEqual(Math.fround(bound));
    expect(largest(values)).toBeGreaterThan(0.99 * bound);
    expect(Math.abs(mean(values))).toBeLessThan((4 * bound) / Math.sqrt(3 * values.length));
    expect(variance(values) / (bound ** 2 / 3)).toBeCloseTo(1, 1);
  });
});

describe.each([
  ['normal', normal(0.7), 0.7],
  ['glorotNormal', glorotNormal, Math.sqrt(2 / (40 + 60))],
  ['heNormal', heNormal, Math.sqrt(2 / 40)],
  ['lecunNormal', lecunNormal, Math.sqrt(1 / 40)],
  // Of a standard normal cut at ±2: 1 − 2·2φ(2)/(2Φ(2) − 1) = 0.8796² (Johnson, Kotz 1970, chapter 13).
  ['truncatedNormal', truncatedNormal(0.7), 0.7 * 0.8796],
] as const)('%s', (_, initializer, deviation) => {
  it(`has mean 0 and deviation ${deviation.toFixed(4)}`, () => {
    const values = draw(initializer);
    expect(Math.abs(mean(values))).toBeLessThan((4 * deviation) / Math.sqrt(values.length));
    expect(Math.sqrt(variance(values)) / deviation).toBeCloseTo(1, 1);
  });
});

it('truncatedNormal stays within two deviations of its mean', () => {
  const values = draw(truncatedNormal(0.5, 3));
  expect(values.every(x => x >= 2 && x <= 4)).toBe(true);
  expect(mean(values)).toBeCloseTo(3, 1);
  expect(mean(draw(normal(0.5, 3)))).toBeCloseTo(3, 1);
});

it('counts every axis but the last as inputs, and the axis of a vector as both', () => {
  expect(largest(draw(heUniform, [5, 8, 3]))).toBeLessThanOrEqual(Math.sqrt(6 / 40));
  expect(largest(draw(heUniform, [5, 8, 3]))).toBeGreaterThan(0.9 * Math.sqrt(6 / 40));
  expect(largest(draw(heUniform, [40]))).toBeLessThanOrEqual(Math.sqrt(6 / 40));
});

describe('identity', () => {
  it('scales a square or rectangular identity', () => {
    expect([...draw(identity(), [2, 3])]).toEqual([1, 0, 0, 0, 1, 0]);
    expect([...draw(identity(0.5), [3, 2])]).toEqual([0.5, 0, 0, 0.5, 0, 0]);
  });
});

describe('orthogonal', () => {
  it.each([
    [7, 7],
    [12, 5],
    [5, 12],
    [1, 4],
  ])('has orthonormal rows or columns in [%i, %i]', (rows, columns) => {
    tf.tidy(() => {
      const q = orthogonal()([rows, columns], new Rng(2)) as tf.Tensor2D;
      const gram = rows <= columns ? tf.matMul(q, q, false, true) : tf.matMul(q, q, true);
      expect(allClose(gram, tf.eye(Math.min(rows, columns)), 1e-6)).toMatchObject({ close: true });
    });
  });

  it('multiplies by the gain', () => {
    const [plain, scaled] = [draw(orthogonal(), [4, 4]), draw(orthogonal(3), [4, 4])];
    expect(
      allClose(
        scaled,
        plain.map(x => 3 * x),
      ),
    ).toMatchObject({ close: true });
  });

  it('takes rotations and reflections alike: the mean over draws is zero', () => {
    const first = Array.from({ length: 300 }, (_, seed) => draw(orthogonal(), [2, 2], seed)[0]!);
    expect(Math.abs(mean(first))).toBeLessThan(4 * Math.sqrt(0.5 / 300));
  });
});

describe('perGate', () => {
  it('draws every gate on its own', () => {
    tf.tidy(() => {
      const stacked = perGate(3, orthogonal())([4, 12], new Rng(3));
      const gates = tf.split(stacked, 3, 1) as tf.Tensor2D[];
      for (const gate of gates) {
        expect(allClose(tf.matMul(gate, gate, true), tf.eye(4), 1e-6)).toMatchObject({ close: true });
      }
      expect(gates[0]!.dataSync()).not.toEqual(gates[1]!.dataSync());
    });
  });

  it('takes an initializer for each gate, for biases too', () => {
    expect([...draw(perGate(2, [zeros, ones]), [4])]).toEqual([0, 0, 1, 1]);
    expect([...draw(perGate(2, [ones, zeros]), [2, 4])]).toEqual([1, 1, 0, 0, 1, 1, 0, 0]);
  });

  it('turns down a width that has no such gates, and a list of another length', () => {
    expect(() => draw(perGate(3, zeros), [4, 10])).toThrow(
      'perGate: the last axis must be divisible by the 3 gates, got [4, 10].',
    );
    expect(() => perGate(3, [zeros, ones])).toThrow('perGate: there must be one initializer, or 3, got 2.');
  });
});

describe('spectralRadius', () => {
  it('scales the largest eigenvalue: a triangular matrix shows its own', () => {
    const triangular: Initializer = () => tf.tensor2d([2, 5, 7, 0, -4, 1, 0, 0, 3], [3, 3]);
    const values = draw(spectralRadius(0.9, triangular), [3, 3]);
    expect(values[4]).toBeCloseTo(-0.9, 2);
    expect(values[0]).toBeCloseTo(0.45, 2);
  });

  it('scales a complex pair of eigenvalues: a rotation stays one', () => {
    const rotation: Initializer = () => tf.tensor2d([3, -4, 4, 3], [2, 2]); // eigenvalues 3 ± 4i, of magnitude 5
    expect(allClose(draw(spectralRadius(1.5, rotation), [2, 2]), [0.9, -1.2, 1.2, 0.9], 1e-3)).toMatchObject({
      close: true,
    });
  });

  it('makes powers neither grow nor vanish at radius 1', () => {
    const matrix = tf.tensor2d(draw(spectralRadius(1), [20, 20], 5), [20, 20]);
    let power = matrix;
    for (let squaring = 0; squaring < 6; squaring++) power = tf.matMul(power, power);
    expect(Math.log(tf.norm(power).dataSync()[0]!) / 64).toBeCloseTo(0, 1);
  });

  it('turns down a matrix without such an eigenvalue', () => {
    expect(() => draw(spectralRadius(1, zeros), [3, 3])).toThrow(
      'spectralRadius: the drawn matrix must have an eigenvalue other than 0, got a largest eigenvalue of 0.',
    );
  });
});

describe('all of them', () => {
  const all: Record<string, Initializer> = {
    zeros,
    ones,
    constant: constant(2),
    uniform: uniform(0, 1),
    normal: normal(),
    truncatedNormal: truncatedNormal(),
    glorotUniform,
    glorotNormal,
    heUniform,
    heNormal,
    lecunUniform,
    lecunNormal,
    fanInUniform: fanInUniform(),
    identity: identity(),
    orthogonal: orthogonal(),
    perGate: perGate(2, normal()),
    spectralRadius: spectralRadius(1),
  };

  it.each(Object.entries(all))('%s: float32, the same for the same seed, no leak', (_, initializer) => {
    expectNoLeak(() => {
      const [first, second] = [initializer([4, 4], new Rng(1)), initializer([4, 4], new Rng(1))];
      expect([first.shape, first.dtype]).toEqual([[4, 4], 'float32']);
      expect(first.dataSync()).toEqual(second.dataSync());
      return [first, second];
    });
  });

  it('turn bad options and shapes down', () => {
    expect(() => normal(-1)).toThrow(ArgumentError);
    expect(() => uniform(1, 0)).toThrow('uniform: high must be a finite number ≥ 1, got 0.');
    expect(() => truncatedNormal(Number.NaN)).toThrow(ArgumentError);
    expect(() => constant(Infinity)).toThrow(ArgumentError);
    expect(() => perGate(0, zeros)).toThrow(ArgumentError);
    expect(() => spectralRadius(-1)).toThrow(ArgumentError);
    expect(() => draw(orthogonal(), [4])).toThrow('orthogonal: the shape must be a matrix, got [4].');
    expect(() => draw(identity(), [2, 2, 2])).toThrow('identity: the shape must be a matrix, got [2, 2, 2].');
    expect(() => draw(spectralRadius(1), [2, 3])).toThrow(
      'spectralRadius: the shape must be a square matrix, got [2, 3].',
    );
  });
});
