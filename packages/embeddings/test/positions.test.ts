import { Rng } from '@ostinato/core';
import { allClose, expectNoLeak, gradCheck } from '@ostinato/testing';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import {
  alibiBias,
  alibiSlopes,
  LearnedPositions,
  RelativeBias,
  relativeBuckets,
  rotary,
  SinusoidalPositions,
} from '../src/index.ts';

function expectClose(got: tf.Tensor, want: tf.Tensor | ArrayLike<number>): void {
  expect(allClose(got, want)).toMatchObject({ close: true });
}

const rows = (positions: number[][]): tf.Tensor =>
  tf.tensor2d(positions, [positions.length, positions[0]!.length], 'int32');

describe('SinusoidalPositions', () => {
  it.each(['interleaved', 'halves'] as const)('%s: by offset and by position alike', layout => {
    const positions = new SinusoidalPositions({ size: 6, layout });
    const input = new Rng(1).normal([2, 3, 6]);
    const later = positions.call(input, { offset: 4 });
    expectClose(later, tf.add(input, tf.slice(positions.table(7), [4, 0], [3, 6])));
    expectClose(positions.call(input, { positions: tf.tensor1d([4, 5, 6], 'int32') }), later);
    const perRow = positions.call(input, {
      positions: rows([
        [4, 5, 6],
        [0, 1, 2],
      ]),
    });
    expectClose(tf.slice(perRow, [0, 0, 0], [1, 3, 6]), tf.slice(later, [0, 0, 0], [1, 3, 6]));
    expectClose(tf.slice(perRow, [1, 0, 0], [1, 3, 6]), tf.slice(positions.call(input), [1, 0, 0], [1, 3, 6]));
  });

  it('says what does not fit', () => {
    expect(() => new SinusoidalPositions({ size: 5 })).toThrow(
      'SinusoidalPositions: size / 2 must be an integer ≥ 1, got 2.5.',
    );
    expect(() => new SinusoidalPositions({ size: 4 }).call(tf.zeros([1, 2, 4]), { offset: -1 })).toThrow(
      'SinusoidalPositions.call: offset must be an integer ≥ 0, got -1.',
    );
  });
});

describe('LearnedPositions', () => {
  const layer = new LearnedPositions({ maximumTime: 5, size: 3 });
  const input = new Rng(1).normal([2, 3, 3]);

  it('adds rows of the table, with gradients by both', () => {
    const at2 = layer.call(input, { offset: 2 });
    expectClose(at2, tf.add(input, tf.slice(layer.table, [2, 0], [3, 3])));
    expectClose(
      layer.call(input, {
        positions: rows([
          [2, 3, 4],
          [2, 3, 4],
        ]),
      }),
      at2,
    );
    for (const options of [
      { offset: 2 },
      {
        positions: rows([
          [2, 3, 4],
          [2, 3, 4],
        ]),
      },
    ]) {
      const { grads } = tf.variableGrads(() => tf.sum(layer.call(input, options)), [layer.table]);
      expectClose(grads[layer.table.name]!, [0, 0, 0, 0, 0, 0, 2, 2, 2, 2, 2, 2, 2, 2, 2]);
    }
    gradCheck(x => layer.call(x), [input]);
  });

  it('says what does not fit', () => {
    expect(() => layer.call(tf.zeros([1, 6, 3]))).toThrow(
      'LearnedPositions.call: time must be a finite number ≤ 5, got 6.',
    );
    expect(() => layer.call(input, { offset: 3 })).toThrow('offset must be an integer ≥ 0 ≤ 2, got 3.');
    expect(() =>
      layer.call(input, {
        positions: rows([
          [0, 1, 5],
          [0, 0, 0],
        ]),
      }),
    ).toThrow('got 5 at position 2');
  });
});

describe('rotary', () => {
  const input = new Rng(2).normal([2, 3, 4, 6]); // [B, H, T, D]

  it.each(['halves', 'interleaved'] as const)('%s: products depend on the distance alone', layout => {
    const [q, k] = [new Rng(3).normal([1, 1, 1, 8]), new Rng(4).normal([1, 1, 1, 8])];
    const product = (i: number, j: number): number =>
      tf.tidy(() => tf.sum(tf.mul(rotary(q, { layout, offset: i }), rotary(k, { layout, offset: j }))).dataSync()[0]!);
    expect(product(7, 3)).toBeCloseTo(product(104, 100), 4);
    expect(Math.abs(product(7, 3) - product(7, 4))).toBeGreaterThan(1e-3);
  });

  it.each(['halves', 'interleaved'] as const)(
    '%s: either order of axes, rows of their own, a part of the features',
    layout => {
      const swapped = tf.transpose(input, [0, 2, 1, 3]);
      const turned = rotary(input, { layout, offset: 2, size: 4 });
      const other = rotary(swapped, {
        layout,
        axes: 'BTHD',
        size: 4,
        positions: rows([
          [2, 3, 4, 5],
          [2, 3, 4, 5],
        ]),
      });
      expectClose(tf.transpose(other, [0, 2, 1, 3]), turned);
      expectClose(tf.slice(turned, [0, 0, 0, 4], [-1, -1, -1, 2]), tf.slice(input, [0, 0, 0, 4], [-1, -1, -1, 2]));
      gradCheck(x => rotary(x, { layout, size: 4 }), [input]);
    },
  );

  it('leaks nothing and says what does not fit', () => {
    expectNoLeak(() => tf.grad(x => rotary(x, { positions: tf.tidy(() => tf.range(0, 4, 1, 'int32')) }))(input));
    expect(() => rotary(tf.zeros([1, 1, 1, 5]))).toThrow('rotary: features turn in pairs, got 5 of them.');
    expect(() => rotary(input, { size: 8 })).toThrow('rotary: size must be an integer ≥ 2 ≤ 6, got 8.');
  });
});

describe('ALiBi', () => {
  it('has the slopes of the paper, between powers of two as well', () => {
    expect(alibiSlopes(4)).toEqual([0.25, 0.0625, 0.015625, 0.00390625]);
    expect(alibiSlopes(3)).toEqual([0.0625, 0.00390625, 0.25]);
  });

  it('counts from the last keys when there are more keys than queries', () => {
    expectClose(
      alibiBias({ numHeads: 1, queryTime: 2, keyTime: 4 }),
      [-2, -1, 0, -1, -3, -2, -1, 0].map(x => x / 256),
    );
  });
});

describe('RelativeBias', () => {
  it('has one bucket for near distances and shares those far away', () => {
    const options = { numBuckets: 8, maximumDistance: 16 };
    expect([...relativeBuckets([-20, -2, -1, 0, 1, 2, 20], options)]).toEqual([3, 2, 1, 0, 5, 6, 7]);
    expect([...relativeBuckets([-20, -4, -1, 0, 3], { ...options, bidirectional: false })]).toEqual([7, 4, 1, 0, 0]);
  });

  it('is a bias of every head, with a gradient by its table', () => {
    const bias = new RelativeBias({ numHeads: 2, numBuckets: 4, maximumDistance: 4 });
    const table = tf.tensor2d([0, 10, 1, 11, 2, 12, 3, 13], [4, 2]);
    bias.table.assign(table);
    expectClose(bias.call({ queryTime: 2 }), [0, 3, 1, 0, 10, 13, 11, 10]);
    expectClose(bias.call({ queryTime: 1, keyTime: 2 }), [1, 0, 11, 10]);
    const { grads } = tf.variableGrads(() => tf.sum(bias.call({ queryTime: 2 })), [bias.table]);
    expectClose(grads[bias.table.name]!, [2, 2, 1, 1, 0, 0, 1, 1]);
    expectNoLeak(() => bias.call({ queryTime: 3 }));
    expect(() => new RelativeBias({ numHeads: 1, numBuckets: 5 })).toThrow(
      'numBuckets / 2 must be an integer ≥ 2, got 2.5',
    );
  });
});
