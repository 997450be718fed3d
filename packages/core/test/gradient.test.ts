import { expectNoLeak } from '@ostinato/testing';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import {
  ArgumentError,
  ResourceError,
  ShapeError,
  stopGradient,
  type ValueAndGrad,
  valueAndGrad,
} from '../src/index.ts';

const a = tf.variable(tf.tensor1d([1, 2]));
const b = tf.variable(tf.tensor1d([3, 5]));
const both = new Map([
  ['a', a],
  ['b', b],
]);

const product = (): tf.Tensor => tf.sum(tf.mul(a, tf.square(b)));

/** Σ a b²: values that the tape saves, and a throw after them. */
function failing(): never {
  product();
  tf.tidy(() => {
    tf.exp(a);
    throw new Error('no');
  });
  throw new Error('unreachable');
}

/** Everything in a result, and in Maps of its aux, is alive and belongs to the caller. */
function release<Aux>({ value, gradients, aux }: ValueAndGrad<Aux>): Aux {
  tf.dispose([value, ...gradients.values()]);
  return aux;
}

describe('valueAndGrad', () => {
  it('returns value and gradients by path', () => {
    const { value, gradients, aux } = valueAndGrad(both, () => ({ loss: product() }));
    expect(value.shape).toEqual([]);
    expect(value.dataSync()[0]).toBe(9 + 50);
    expect([...gradients.keys()]).toEqual(['a', 'b']);
    expect(gradients.get('a')!.arraySync()).toEqual([9, 25]);
    expect(gradients.get('b')!.arraySync()).toEqual([6, 20]);
    expect(aux).toBeUndefined();
  });

  it('leaks nothing', () => {
    expectNoLeak(() => valueAndGrad(both, () => ({ loss: product(), aux: { squares: tf.square(a) } })));
  });

  it('keeps the tensors of aux in objects, arrays and Maps, and nothing else that the body made', () => {
    const before = tf.memory().numTensors;
    const aux = release(
      valueAndGrad(both, () => {
        tf.exp(b);
        const states = [tf.square(a), { deep: tf.square(b) }] as const;
        return { loss: product(), aux: { states, byName: new Map([['twice', tf.add(a, a)]]), steps: 3, note: null } };
      }),
    );
    expect(tf.memory().numTensors).toBe(before + 3);
    expect(aux.states[0].arraySync()).toEqual([1, 4]);
    expect(aux.states[1].deep.arraySync()).toEqual([9, 25]);
    expect(aux.byName.get('twice')!.arraySync()).toEqual([2, 4]);
    expect(aux.steps).toBe(3);
    tf.dispose([aux.states[0], aux.states[1].deep, aux.byName.get('twice')!]);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('leaves everything to a tidy around it, aux too, but what was there before', () => {
    const before = tf.square(a);
    const pinned = tf.keep(tf.square(b));
    expectNoLeak(() => {
      const aux = tf.tidy(() => {
        const result = valueAndGrad(both, () => ({
          loss: product(),
          aux: { square: tf.square(a), left: tf.square(b), before, pinned },
        }));
        return tf.clone(result.aux.square);
      });
      expect(aux.arraySync()).toEqual([1, 4]);
      return aux;
    });
    expect([before.isDisposed, before.kept, pinned.isDisposed, pinned.kept]).toEqual([false, false, false, true]);
    tf.dispose([before, pinned]);
  });

  it('makes constants of the tensors in aux: the next window does not flow into the last', () => {
    const { aux: state, ...first } = valueAndGrad(both, () => ({ loss: product(), aux: tf.square(a) }));
    const second = valueAndGrad(both, () => ({ loss: tf.sum(tf.mul(state, b)) }));
    expect([...second.gradients.keys()]).toEqual(['b']);
    expect(second.gradients.get('b')!.arraySync()).toEqual([1, 4]);
    state.dispose();
    release({ ...first, aux: undefined });
    release(second);
  });

  it('leaves parameters out that the loss does not depend on', () => {
    const { gradients } = valueAndGrad(both, () => ({ loss: tf.sum(tf.square(b)) }));
    expect([...gradients.keys()]).toEqual(['b']);
  });

  it('gives no gradient to Variables that are not asked for', () => {
    const { gradients } = valueAndGrad(new Map([['a', a]]), () => ({ loss: product() }));
    expect([...gradients.keys()]).toEqual(['a']);
  });

  it('leaks nothing and works again after a throw inside the body', () => {
    const kept = tf.square(a);
    expectNoLeak(() => expect(() => valueAndGrad(both, failing)).toThrow('no'));
    expect(kept.isDisposed).toBe(false);
    expectNoLeak(() => {
      const result = valueAndGrad(both, () => ({ loss: product() }));
      expect(result.gradients.get('a')!.arraySync()).toEqual([9, 25]);
      return result;
    });
    kept.dispose();
  });

  it('leaves an outer gradient as it was after a throw inside an inner one', () => {
    expectNoLeak(() => {
      const result = valueAndGrad(both, () => {
        const squares = tf.square(b);
        expect(() => valueAndGrad(both, failing)).toThrow('no');
        return { loss: tf.sum(tf.mul(a, squares)) };
      });
      expect(result.gradients.get('a')!.arraySync()).toEqual([9, 25]);
      expect(result.gradients.get('b')!.arraySync()).toEqual([6, 20]);
      return result;
    });
  });

  it('leaks nothing after a throw in the backward pass', () => {
    const broken = tf.customGrad((x: unknown) => ({
      value: tf.clone(x as tf.Tensor),
      gradFunc: () => {
        throw new Error('backward');
      },
    }));
    expectNoLeak(() =>
      expect(() =>
        valueAndGrad(both, () => ({ loss: tf.sum(broken(tf.mul(a, b))), aux: { squares: tf.square(a) } })),
      ).toThrow('backward'),
    );
  });

  it.each([
    ['a vector', () => tf.square(a), 'got float32 [2]. Reduce it with tf.mean or tf.sum.'],
    ['an integer', () => tf.scalar(3, 'int32'), 'got int32 [].'],
  ])('turns %s down as a loss', (_, loss, message) => {
    expectNoLeak(() => {
      expect(() => valueAndGrad(both, () => ({ loss: loss() }))).toThrow(ShapeError);
      expect(() => valueAndGrad(both, () => ({ loss: loss() }))).toThrow(message);
    });
  });

  it('turns a loss down that depends on no parameter, and frees its aux', () => {
    const outside = tf.tensor1d([7]);
    const constant = (): { loss: tf.Tensor; aux: tf.Tensor[] } => ({
      loss: tf.sum(tf.square([1, 2])),
      aux: [tf.square([3]), outside, a],
    });
    expectNoLeak(() => {
      expect(() => valueAndGrad(both, constant)).toThrow(ResourceError);
      expect(() => valueAndGrad(both, constant)).toThrow('got a loss that depends on none of 2.');
    });
    expect([outside.isDisposed, a.isDisposed]).toEqual([false, false]);
    outside.dispose();
  });

  it('turns an empty list of parameters down', () => {
    expect(() => valueAndGrad(new Map(), () => ({ loss: product() }))).toThrow(
      'valueAndGrad: there must be at least one trainable parameter, got none.',
    );
  });

  it('gives a frozen parameter no gradient, like variableGrads of TensorFlow.js', () => {
    b.trainable = false;
    try {
      const { gradients } = valueAndGrad(both, () => ({ loss: product() }));
      expect([...gradients.keys()]).toEqual(['a']);
      expect(() => valueAndGrad(new Map([['b', b]]), () => ({ loss: product() }))).toThrow(
        'valueAndGrad: there must be at least one trainable parameter, got 1, all frozen.',
      );
    } finally {
      b.trainable = true;
    }
  });
});

it.each([
  ['a tensor', () => tf.sum(a), 'got the tensor itself'],
  ['a promise', async () => ({ loss: tf.sum(a) }), 'got object'],
  ['nothing', () => undefined, 'got undefined'],
])('valueAndGrad refuses %s as the result', (_, body, message) => {
  const run = (): unknown => valueAndGrad(both, body as unknown as () => { loss: tf.Tensor });
  expect(run).toThrow(ArgumentError);
  expect(run).toThrow(`the function must return { loss }, or { loss, aux }, with a tensor as loss, ${message}`);
});

describe('stopGradient', () => {
  it('is the identity forward and a constant backward', () => {
    const { value, gradients } = valueAndGrad(both, () => ({ loss: tf.sum(tf.mul(a, stopGradient(tf.mul(a, b)))) }));
    expect(value.dataSync()[0]).toBe(1 * 3 + 2 * 2 * 5);
    expect(gradients.get('a')!.arraySync()).toEqual([3, 10]);
  });

  it('keeps shape and dtype, and leaks nothing', () => {
    const ids = stopGradient(tf.tensor2d([[1, 2]], [1, 2], 'int32'));
    expect([ids.shape, ids.dtype]).toEqual([[1, 2], 'int32']);
    const x = tf.ones([2]);
    expectNoLeak(() => stopGradient(x));
  });
});
