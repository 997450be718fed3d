import { ArgumentError, FormatError, parameters, ShapeError } from '@ostinato/core';
import { expectNoLeak } from '@ostinato/testing';
import {
  accumulate,
  adadelta,
  adagrad,
  adam,
  adamax,
  adamw,
  amsgrad,
  chain,
  clipByGlobalNorm,
  clipByValue,
  constant,
  freeze,
  type GradientTransform,
  globalNorm,
  linear,
  lion,
  masked,
  nadam,
  Optimizer,
  oneCycle,
  radam,
  rmsprop,
  scaleBySchedule,
  sgd,
  WeightAverage,
  weightDecay,
} from '@ostinato/training';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { gradientsOf, Variables, valuesOf } from './support.ts';

/** Applies gradients one after the other, starting from a = [1, 2], b = [3]; returns the values at the end. */
function train(transform: GradientTransform, steps: Record<string, number[]>[]): number[][] {
  const model = new Variables([1, 2], [3]);
  const optimizer = new Optimizer(transform, parameters(model));
  for (const step of steps) {
    const gradients = gradientsOf(step);
    optimizer.apply(gradients);
    tf.dispose([...gradients.values()]);
  }
  const values = valuesOf(model);
  optimizer.dispose();
  model.dispose();
  return values;
}

const learningRate = 0.1;
const all: Record<string, () => GradientTransform> = {
  sgd: () => sgd({ learningRate }),
  'sgd, momentum': () => sgd({ learningRate, momentum: 0.9 }),
  nesterov: () => sgd({ learningRate, momentum: 0.9, nesterov: true }),
  adam: () => adam({ learningRate }),
  adamw: () => adamw({ learningRate, mask: path => path === 'a' }),
  amsgrad: () => amsgrad({ learningRate }),
  adamax: () => adamax({ learningRate }),
  nadam: () => nadam({ learningRate }),
  radam: () => radam({ learningRate }),
  rmsprop: () => rmsprop({ learningRate, centered: true, momentum: 0.5 }),
  adagrad: () => adagrad({ learningRate }),
  adadelta: () => adadelta(),
  lion: () => lion({ learningRate, weightDecay: 0.1 }),
  clipping: () => chain(clipByGlobalNorm(1, { norm: 1 }), clipByValue(0.3), sgd({ learningRate })),
  'weight decay': () => chain(weightDecay(0.1, { mask: path => path === 'a' }), adam({ learningRate })),
  masked: () => masked(path => path === 'a', adam({ learningRate })),
  freeze: () =>
    chain(
      freeze(path => path === 'a'),
      adam({ learningRate }),
    ),
  accumulate: () => accumulate(2, chain(clipByGlobalNorm(1), adam({ learningRate }))),
  schedule: () => chain(adam({ learningRate }), scaleBySchedule(linear({ from: 0, to: 1, steps: 3 }))),
  'nothing at all': () => chain(),
};
const three = [{ a: [1, -2], b: [0.5] }, { a: [-0.5, 1] }, { a: [2, 2], b: [-1] }];

describe.each(Object.entries(all))('%s', (_, make) => {
  it('neither leaks nor touches what it is given', () =>
    expectNoLeak(() => {
      const model = new Variables([1, 2], [3]);
      const optimizer = new Optimizer(make(), parameters(model));
      const before = tf.memory().numTensors;
      for (const step of three) {
        const gradients = gradientsOf(step);
        optimizer.apply(gradients);
        for (const [path, gradient] of gradients) {
          expect([...gradient.dataSync()]).toEqual([...Float32Array.from(step[path as 'a']!)]);
          gradient.dispose();
        }
        expect(tf.memory().numTensors).toBe(before);
      }
      optimizer.dispose();
      model.dispose();
    }));

  it('can be refused: the parameters and the state stay', () => {
    const model = new Variables([1, 2], [3]);
    const optimizer = new Optimizer(make(), parameters(model));
    const gradients = gradientsOf(three[0]!);
    optimizer.apply(gradients);
    const read = (): unknown => {
      const { step, numbers, tensors } = optimizer.state();
      return [step, numbers, [...tensors].map(([name, tensor]) => [name, [...tensor.dataSync()]]), valuesOf(model)];
    };
    const before = read();
    const tensorsBefore = tf.memory().numTensors;
    optimizer.propose(gradients).discard();
    expect(read()).toEqual(before);
    expect(tf.memory().numTensors).toBe(tensorsBefore);
    tf.dispose([...gradients.values()]);
    optimizer.dispose();
    model.dispose();
  });

  it('is made once: a second commit is refused, and discarding afterwards does nothing', () => {
    const model = new Variables([1, 2], [3]);
    const optimizer = new Optimizer(make(), parameters(model));
    const gradients = gradientsOf({ a: [1, 1], b: [1] });
    const proposal = optimizer.propose(gradients);
    proposal.commit();
    const after = valuesOf(model);
    expect(() => proposal.commit()).toThrow('Proposal.commit: a proposal can be committed once');
    proposal.discard();
    expect(valuesOf(model)).toEqual(after);
    optimizer.apply(gradients);
    const refused = optimizer.propose(gradients);
    refused.discard();
    expect(() => refused.commit()).toThrow('after discard()');
    expect(optimizer.step).toBe(2);
    tf.dispose([...gradients.values()]);
    optimizer.dispose();
    model.dispose();
  });

  it('goes on from a saved state, to the bit', () =>
    expectNoLeak(() => {
      const first = new Variables([1, 2], [3]);
      const optimizer = new Optimizer(make(), parameters(first));
      const steps = [...three, ...three].map(gradientsOf);
      for (const step of steps.slice(0, 3)) optimizer.apply(step);

      const [a, b] = valuesOf(first) as [number[], number[]];
      const second = new Variables(a, b);
      const resumed = new Optimizer(make(), parameters(second));
      resumed.restore(optimizer.state());
      expect(resumed.step).toBe(3);
      expect(resumed.learningRate).toBe(optimizer.learningRate);
      for (const step of steps.slice(3)) {
        optimizer.apply(step);
        resumed.apply(step);
      }
      expect(valuesOf(second)).toEqual(valuesOf(first));
      tf.dispose(steps.flatMap(step => [...step.values()]));
      for (const one of [optimizer, resumed, first, second]) one.dispose();
    }));
});

describe('order and selection', () => {
  it('runs a chain from first to last', () => {
    const step = [{ a: [3, 4], b: [0] }];
    // The norm is 5: clipped to 1, then limited; or limited to 2, 2 first, whose norm is √8.
    const [clipped] = train(chain(clipByGlobalNorm(1), clipByValue(2), sgd({ learningRate: 1 })), step);
    const [limited] = train(chain(clipByValue(2), clipByGlobalNorm(1), sgd({ learningRate: 1 })), step);
    expect(clipped![0]).toBeCloseTo(1 - 0.6, 5);
    expect(clipped![1]).toBeCloseTo(2 - 0.8, 5);
    expect(limited![0]).toBeCloseTo(1 - Math.SQRT1_2, 5);
  });

  it('frees what a chain has made when one of its later transforms throws', () => {
    const failing: GradientTransform = {
      init: () => ({}),
      update: () => {
        throw new Error('third');
      },
    };
    const model = new Variables([1, 2], [3]);
    const optimizer = new Optimizer(chain(clipByGlobalNorm(1), adam({ learningRate }), failing), parameters(model));
    const gradients = gradientsOf({ a: [1, 1], b: [1] });
    const before = tf.memory().numTensors;
    expect(() => optimizer.propose(gradients)).toThrow('third');
    expect(tf.memory().numTensors).toBe(before);
    tf.dispose([...gradients.values()]);
    optimizer.dispose();
    model.dispose();
  });

  it('leaves a parameter without a gradient alone, weight decay and its count of steps included', () => {
    const values = train(adamw({ learningRate, weightDecay: 0.5 }), [
      { a: [1, 1] },
      { a: [1, 1] },
      { a: [1, 1], b: [1] },
    ]);
    // The first step of Adam is −η·sign(g), less η·λ·θ; only b's own steps count.
    expect(values[1]![0]).toBeCloseTo(3 - 0.1 - 0.1 * 0.5 * 3, 5);
  });

  it('freezes by path', () => {
    const decaying = chain(
      freeze(path => path === 'a'),
      adamw({ learningRate, weightDecay: 0.5 }),
    );
    expect(train(decaying, three)[0]).toEqual([1, 2]);
    expect(train(decaying, three)[1]).not.toEqual([3]);
  });

  it('leaves a frozen Variable alone, weight decay included', () =>
    expectNoLeak(() => {
      const model = new Variables([1, 2], [3]);
      model.a.trainable = false;
      const optimizer = new Optimizer(adamw({ learningRate }), parameters(model));
      const gradients = gradientsOf({ a: [1, 1], b: [1] });
      optimizer.apply(gradients);
      const [a, b] = valuesOf(model);
      expect(a).toEqual([1, 2]);
      expect(b![0]).toBeLessThan(3);
      tf.dispose([...gradients.values()]);
      optimizer.dispose();
      model.dispose();
    }));

  it('masks: the inner transform sees and remembers only its own, the rest passes', () => {
    const model = new Variables([1, 2], [3]);
    const optimizer = new Optimizer(
      chain(
        masked(path => path === 'a', adam({ learningRate: 1 })),
        scaleBySchedule(constant(0.5)),
      ),
      parameters(model),
    );
    expect([...optimizer.state().tensors.keys()]).toEqual(['0/slots/firstMoment/a', '0/slots/secondMoment/a']);
    const gradients = gradientsOf({ a: [7, -7], b: [4] });
    optimizer.apply(gradients);
    expect(valuesOf(model)).toEqual([[0.5, 2.5], [5]]);
    tf.dispose([...gradients.values()]);
    optimizer.dispose();
    model.dispose();
  });

  it('reports the learning rate of the last link that has one', () => {
    const rate = linear({ from: 1, to: 0, steps: 10 });
    const transform = chain(clipByGlobalNorm(1), accumulate(2, adam({ learningRate: rate })), scaleBySchedule(rate));
    expect([0, 1, 2, 3].map(step => transform.learningRate!(step))).toEqual([1, 1, 0.9, 0.9]);
    expect(chain(clipByGlobalNorm(1)).learningRate).toBeUndefined();
  });
});

describe('accumulate', () => {
  it('is one step with the mean of the gradients', () => {
    const inner = (): GradientTransform => chain(clipByGlobalNorm(1), adamw({ learningRate }));
    const parts = [
      { a: [1, 2], b: [3] },
      { a: [3, -2], b: [1] },
      { a: [8, 0], b: [2] },
    ];
    const whole = { a: [4, 0], b: [2] };
    expect(train(accumulate(3, inner()), [...parts, ...parts])).toEqual(train(inner(), [whole, whole]));
  });

  it('does nothing in between, and counts what is missing as zero', () => {
    expect(train(accumulate(2, sgd({ learningRate: 1 })), [{ a: [1, 1], b: [1] }])).toEqual([[1, 2], [3]]);
    expect(train(accumulate(2, sgd({ learningRate: 1 })), [{ a: [1, 1], b: [1] }, { b: [3] }])).toEqual([
      [0.5, 1.5],
      [1],
    ]);
    const never = train(accumulate(2, adamw({ learningRate, weightDecay: 1 })), [{ a: [1, 1] }, { a: [1, 1] }]);
    expect(never[1]).toEqual([3]);
  });
});

describe('globalNorm', () => {
  it.each([
    [2, 13],
    [1, 19],
    [Infinity, 12],
    [3, (27 + 64 + 1728) ** (1 / 3)],
    [0.5, (Math.sqrt(3) + 2 + Math.sqrt(12)) ** 2],
  ] as const)('of order %s', (norm, want) => {
    const gradients = gradientsOf({ a: [3, -4], b: [12] });
    const got = globalNorm(gradients, { norm });
    expect(got.dataSync()[0]).toBeCloseTo(want, 5);
    tf.dispose([got, ...gradients.values()]);
  });

  it('clips by any order, as clip_grad_norm_ of PyTorch', () => {
    // p = 3: 1819^(1/3) = 12.207055, so that 3 becomes 3/12.207055 = 0.245760.
    const clip = chain(clipByGlobalNorm(1, { norm: 3 }), sgd({ learningRate: 1 }));
    const [a, b] = train(clip, [{ a: [3, -4], b: [12] }]);
    expect(a![0]).toBeCloseTo(1 - 0.24576, 5);
    expect(a![1]).toBeCloseTo(2 + 0.327679, 5);
    expect(b![0]).toBeCloseTo(3 - 0.983038, 5);
  });

  it('is 0 for nothing, and clipping leaves zeros finite', () => {
    const none = globalNorm(new Map());
    expect(none.dataSync()[0]).toBe(0);
    none.dispose();
    expect(train(chain(clipByGlobalNorm(1), sgd({ learningRate })), [{ a: [0, 0], b: [0] }])).toEqual([[1, 2], [3]]);
  });
});

describe('bad input', () => {
  it.each([
    ['no transform', undefined, new Map(), /first argument must be a gradient transform, got undefined.*new Optimizer/],
    ['both the other way round', new Map(), adam({ learningRate }), /first argument must be a gradient transform/],
    ['a model', adam({ learningRate }), new Variables([1], [2]), /second argument must be a Map.*parameters\(model\)/],
  ])('is refused by Optimizer: %s', (_, transform, of, message) => {
    const make = (): Optimizer => new Optimizer(transform as never, of as never);
    expect(make).toThrow(ArgumentError);
    expect(make).toThrow(message);
  });

  it('is refused before anything changes', () => {
    const model = new Variables([1, 2], [3]);
    const optimizer = new Optimizer(adam({ learningRate }), parameters(model));
    const apply = (values: Record<string, number[]>) => () => {
      const gradients = gradientsOf(values);
      try {
        optimizer.apply(gradients);
      } finally {
        tf.dispose([...gradients.values()]);
      }
    };
    expect(apply({ a: [1, 1], c: [1] })).toThrow(ArgumentError);
    expect(apply({ a: [1, 1], b: [1, 1] })).toThrow(ShapeError);
    expect(apply({ a: [1, 1], b: [1, 1] })).toThrow('the gradient of b must be');
    const { tensors, numbers } = optimizer.state();
    const restore = (state: Partial<ReturnType<Optimizer['state']>>) => () =>
      optimizer.restore({ step: 1, tensors, numbers, ...state });
    expect(restore({ step: -1 })).toThrow(FormatError);
    expect(restore({ tensors: new Map() })).toThrow('the state must have slots/firstMoment/a');
    expect(restore({ numbers: {} })).toThrow('the state must have the number counts/a');
    expect(restore({ numbers: { ...numbers, x: 1 } })).toThrow('the unknown x');
    const wrong = new Map(tensors).set('slots/firstMoment/a', tensors.get('slots/firstMoment/b')!);
    expect(restore({ tensors: wrong })).toThrow('expected [2], got [1]');
    expect(optimizer.step).toBe(0);
    expect(valuesOf(model)).toEqual([[1, 2], [3]]);
    optimizer.dispose();
    model.dispose();
  });

  it.each([
    () => adam({ learningRate: -1 }),
    () => adam({ learningRate: '0.1' as unknown as number }),
    () => adam({} as { learningRate: number }),
    () => sgd({ learningRate: Number.NaN }),
    () => sgd({ learningRate, momentum: 0.9, dampening: Number.NaN }),
    () => sgd({ learningRate, momentum: 0.9, dampening: 2 }),
    () => oneCycle({ peak: Number.NaN, steps: 10 }),
    () => adam({ learningRate, beta1: 1 }),
    () => adamw({ learningRate, weightDecay: -1 }),
    () => sgd({ learningRate, nesterov: true }),
    () => sgd({ learningRate, momentum: 1 }),
    () => rmsprop({ learningRate, decay: 2 }),
    () => adagrad({ learningRate, epsilon: Number.NaN }),
    () => lion({ learningRate, beta2: -1 }),
    () => clipByGlobalNorm(0),
    () => clipByGlobalNorm(1, { norm: 0 }),
    () => clipByGlobalNorm(1, { norm: Number.NaN }),
    () => globalNorm(new Map(), { norm: -1 }),
    () => clipByValue(-1),
    () => accumulate(0, sgd({ learningRate })),
    () => weightDecay(-1),
    () => train(sgd({ learningRate: () => Number.NaN }), [{ a: [1, 1] }]),
  ])('is an ArgumentError: %s', make => {
    expect(make).toThrow(ArgumentError);
  });
});

describe('WeightAverage', () => {
  it('averages, lends its values and takes them back', () =>
    expectNoLeak(async () => {
      const model = new Variables([1, 2], [3]);
      const average = new WeightAverage(parameters(model), { decay: 0.5 });
      const next = tf.tensor1d([3, 4]);
      model.a.assign(next);
      next.dispose();
      average.update();
      await average.withAverages(() => expect(valuesOf(model)).toEqual([[2, 3], [3]]));
      expect(valuesOf(model)).toEqual([[3, 4], [3]]);
      await expect(
        average.withAverages(() => {
          throw new Error('no');
        }),
      ).rejects.toThrow('no');
      expect(valuesOf(model)).toEqual([[3, 4], [3]]);

      const other = new WeightAverage(parameters(model));
      other.restore(average.state());
      expect([...other.state().get('a')!.dataSync()]).toEqual([2, 3]);
      expect(() => other.restore(new Map())).toThrow(FormatError);
      average.dispose();
      other.dispose();
      model.dispose();
    }));
});
