import { expectNoLeak } from '@ostinato/testing';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { disposeState, mapState, selectRows, stateTensors } from '../src/index.ts';

const state = (offset: number): { hidden: tf.Tensor; layers: readonly (readonly [tf.Tensor, tf.Tensor])[] } => ({
  hidden: tf.tensor2d([offset + 1, offset + 2], [2, 1]),
  layers: [[tf.tensor1d([offset + 3, offset + 4]), tf.tensor3d([offset + 5, offset + 6], [2, 1, 1])]],
});

const values = (of: ReturnType<typeof state>): number[][] => stateTensors(of).map(tensor => [...tensor.dataSync()]);

describe('mapState', () => {
  it('keeps the tree, and says where each tensor is', () => {
    const paths: string[] = [];
    const doubled = mapState(state(0), (tensor, path) => {
      paths.push(path);
      return tf.mul(tensor, 2);
    });
    expect(paths).toEqual(['hidden', 'layers.0.0', 'layers.0.1']);
    expect(values(doubled)).toEqual([
      [2, 4],
      [6, 8],
      [10, 12],
    ]);
    expect(doubled.layers[0]![1].shape).toEqual([2, 1, 1]);
  });

  it('takes a single tensor, and a state without any', () => {
    expect([...mapState(tf.tensor1d([1]), tensor => tf.neg(tensor)).dataSync()]).toEqual([-1]);
    expect(mapState([], tensor => tensor)).toEqual([]);
    expect(stateTensors({})).toEqual([]);
  });
});

it('disposeState frees every tensor', () => {
  expectNoLeak(() => {
    disposeState(state(0));
  });
});

describe('selectRows', () => {
  it.each(['float32', 'bool', 'int32'] as const)('takes the rows of a %s mask from the update', dtype => {
    const mask = tf.tensor1d([1, 0], dtype);
    expect(values(selectRows(mask, state(10), state(0)))).toEqual([
      [11, 2],
      [13, 4],
      [15, 6],
    ]);
  });

  it('leaks nothing', () => {
    const [mask, update, previous] = [tf.tensor1d([0, 1]), state(10), state(0)];
    expectNoLeak(() => selectRows(mask, update, previous));
  });

  it('sends the gradient to the side that was taken', () => {
    const mask = tf.tensor1d([1, 0]);
    const [dUpdate, dState] = tf.grads((update, previous) => tf.sum(selectRows(mask, update!, previous!)))([
      tf.ones([2, 2]),
      tf.ones([2, 2]),
    ]);
    expect([...dUpdate!.dataSync()]).toEqual([1, 1, 0, 0]);
    expect([...dState!.dataSync()]).toEqual([0, 0, 1, 1]);
  });

  it('goes by the names of the fields, not by their order', () => {
    const [mask, a, b] = [tf.tensor1d([0]), tf.tensor1d([1]), tf.tensor1d([2])];
    const chosen = selectRows(mask, { hidden: a, cell: a }, { cell: b, hidden: tf.tensor1d([3]) });
    expect([chosen.hidden.dataSync()[0], chosen.cell.dataSync()[0]]).toEqual([3, 2]);
  });
});
