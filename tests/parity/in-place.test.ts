// Optimizers that write over parameters and moments: the values of the general path, nobody else's memory touched, all or nothing.
import '@ostinato/backend-cpu';
import { OstinatoCpuBackend } from '@ostinato/backend-cpu';
import { type Parameters, Rng } from '@ostinato/core';
import { allClose, countKernels, expectNoLeak } from '@ostinato/testing';
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
  fit,
  freeze,
  type GradientTransform,
  linear,
  lion,
  masked,
  nadam,
  Optimizer,
  radam,
  rmsprop,
  scaleBySchedule,
  sgd,
  WeightAverage,
  weightDecay,
} from '@ostinato/training';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { runs, seed, size } from './compare.ts';

const learningRate = 0.05;
const isA = (path: string): boolean => path === 'a';
const fused: Record<string, () => GradientTransform> = {
  sgd: () => sgd({ learningRate }),
  'sgd, momentum, dampening': () => sgd({ learningRate, momentum: 0.9, dampening: 0.3 }),
  nesterov: () => sgd({ learningRate, momentum: 0.9, nesterov: true }),
  adam: () => adam({ learningRate }),
  'adam, epsilon before the correction': () => adam({ learningRate, epsilon: 1e-3, epsilonBeforeCorrection: true }),
  adamw: () => adamw({ learningRate, weightDecay: 0.1, mask: isA }),
  amsgrad: () => amsgrad({ learningRate }),
  adamax: () => adamax({ learningRate }),
  nadam: () => nadam({ learningRate }),
  radam: () => radam({ learningRate, beta2: 0.8 }),
  lion: () => lion({ learningRate, weightDecay: 0.1 }),
  rmsprop: () => rmsprop({ learningRate }),
  'rmsprop, centered, momentum, epsilon inside': () =>
    rmsprop({ learningRate, centered: true, momentum: 0.5, epsilon: 0.1, epsilonInside: true }),
  adagrad: () => adagrad({ learningRate, initialAccumulator: 0.1 }),
  adadelta: () => adadelta(),
  'clipping by norm, AdamW': () => chain(clipByGlobalNorm(0.5), adamw({ learningRate })),
  'clipping by another norm': () => chain(clipByGlobalNorm(0.5, { norm: 1 }), sgd({ learningRate })),
  'clipping by norm, by value twice, L2': () =>
    chain(
      clipByGlobalNorm(1),
      clipByValue(0.5),
      clipByValue(0.2),
      weightDecay(0.1),
      weightDecay(0.2, { mask: isA }),
      adam({ learningRate }),
    ),
  'a schedule behind the optimizer': () =>
    chain(adamw({ learningRate }), scaleBySchedule(linear({ from: 0, to: 1, steps: 3 }))),
  groups: () =>
    chain(
      clipByGlobalNorm(1),
      masked(isA, adamw({ learningRate })),
      masked(path => !isA(path), lion({ learningRate })),
    ),
  freeze: () => chain(freeze(isA), adam({ learningRate })),
  'no optimizer': () => clipByGlobalNorm(1),
};
const general: Record<string, () => GradientTransform> = {
  'L2 before clipping': () => chain(weightDecay(0.1), clipByGlobalNorm(0.1), adam({ learningRate })),
  'clipping the update': () => chain(adam({ learningRate }), clipByGlobalNorm(0.01)),
  'clipping twice': () => chain(clipByGlobalNorm(1), clipByGlobalNorm(0.5, { norm: 1 }), sgd({ learningRate })),
  'two optimizers': () => chain(adam({ learningRate: 1 }), sgd({ learningRate })),
  accumulation: () => accumulate(2, chain(clipByGlobalNorm(1), adam({ learningRate }))),
};

interface Drawn {
  readonly shapes: readonly number[][];
  readonly seed: number;
}

const names = ['a', 'b', 'c'];
const drawn = fc.record({
  shapes: fc.array(fc.array(size(40), { maxLength: 2 }), { minLength: 1, maxLength: 3 }),
  seed,
});

/** Tensors by path, of normal numbers. */
function draw({ shapes, seed: from }: Drawn, label: string): Map<string, tf.Tensor> {
  const rng = new Rng(from);
  return new Map(shapes.map((shape, i) => [names[i]!, rng.split(`${label} ${i}`).normal(shape)]));
}

function variables(given: Drawn): Map<string, tf.Variable> {
  return new Map(
    [...draw(given, 'value')].map(([path, value]) => {
      const variable = tf.variable(value);
      value.dispose();
      return [path, variable];
    }),
  );
}

/** Some steps; the second leaves the first parameter out. Every value at the end, of parameters and state. */
function train(make: () => GradientTransform, given: Drawn): Map<string, Float32Array> {
  const model = variables(given);
  const optimizer = new Optimizer(make(), model);
  for (let step = 0; step < 4; step++) {
    const gradients = draw(given, `gradient ${step}`);
    if (step === 1) {
      gradients.get('a')!.dispose();
      gradients.delete('a');
    }
    optimizer.apply(gradients);
    tf.dispose([...gradients.values()]);
  }
  const all = [...model, ...optimizer.state().tensors];
  const values = new Map(all.map(([path, tensor]) => [path, tensor.dataSync() as Float32Array]));
  optimizer.dispose();
  tf.dispose([...model.values()]);
  return values;
}

beforeEach(async () => {
  await tf.setBackend('ostinato-cpu');
});
afterAll(async () => {
  await tf.setBackend('cpu');
});

describe.each(Object.entries({ ...fused, ...general }))('%s', (_, make) => {
  it('gives the values of the general path on the stock engine', async () => {
    await fc.assert(
      fc.asyncProperty(drawn, async given => {
        await tf.setBackend('cpu');
        const want = train(make, given);
        await tf.setBackend('ostinato-cpu');
        const got = train(make, given);
        expect([...got.keys()]).toEqual([...want.keys()]);
        for (const [path, values] of got) {
          expect({ path, ...allClose(values, want.get(path)!, 2e-5) }).toMatchObject({ close: true });
        }
      }),
      runs,
    );
  });

  it('leaks nothing, and may be used in a tidy', () =>
    expectNoLeak(() => {
      const given = { shapes: [[3, 4], [5]], seed: 1 };
      const model = variables(given);
      let optimizer!: Optimizer;
      tf.tidy(() => {
        optimizer = new Optimizer(make(), model);
      });
      const before = tf.memory();
      for (let step = 0; step < 3; step++) tf.tidy(() => optimizer.apply(draw(given, `gradient ${step}`)));
      const { numTensors, numBytes, numDataBuffers } = before;
      expect(tf.memory()).toMatchObject({ numTensors, numBytes, numDataBuffers });
      optimizer.dispose();
      tf.dispose([...model.values()]);
    }));
});

const given: Drawn = { shapes: [[30, 40], [7], []], seed: 7 };

/** Launches of our own kernels. */
function launches(names: readonly string[]): string[] {
  return names.filter(name => name.startsWith('Ostinato'));
}

describe('in place', () => {
  it.each(Object.keys(fused))('%s is one launch that takes no memory for parameters or moments', async name => {
    const model = variables(given);
    const optimizer = new Optimizer(fused[name]!(), model);
    const gradients = draw(given, 'gradient');
    optimizer.apply(gradients);
    const places = () => [...model.values(), ...optimizer.state().tensors.values()].map(({ dataId }) => dataId);
    const before = places();
    const counted = await countKernels(() => optimizer.apply(gradients));
    expect(launches(counted.names).filter(kernel => kernel !== 'OstinatoNorm')).toEqual(['OstinatoOptimizerStep']);
    const after = places();
    expect(after.every((dataId, i) => dataId === before[i])).toBe(true);
    tf.dispose([...gradients.values(), ...model.values()]);
    optimizer.dispose();
  });

  it.each(Object.keys(general))('%s takes the general path', async name => {
    const model = variables(given);
    const optimizer = new Optimizer(general[name]!(), model);
    const gradients = draw(given, 'gradient');
    const counted = await countKernels(() => optimizer.apply(gradients));
    expect(counted.names).not.toContain('OstinatoOptimizerStep');
    tf.dispose([...gradients.values(), ...model.values()]);
    optimizer.dispose();
  });
});

/** A trained model with its optimizer and next gradients. */
function trained(): {
  model: Map<string, tf.Variable>;
  optimizer: Optimizer;
  gradients: Map<string, tf.Tensor>;
  free(): void;
} {
  const model = variables(given);
  const optimizer = new Optimizer(chain(clipByGlobalNorm(1), adamw({ learningRate })), model);
  const gradients = draw(given, 'gradient');
  optimizer.apply(gradients);
  const free = (): void => {
    tf.dispose([...gradients.values(), ...model.values()]);
    optimizer.dispose();
  };
  return { model, optimizer, gradients, free };
}

/** Everything that a step changes, as numbers. */
function readAll(model: Parameters, optimizer: Optimizer): unknown {
  const { step, numbers, tensors } = optimizer.state();
  return [step, numbers, ...[...model, ...tensors].map(([path, tensor]) => [path, ...tensor.dataSync()])];
}

describe('memory that somebody else reads', () => {
  it('stays as it is: clones, reshapes and the average of parameters, clones of moments', () =>
    expectNoLeak(() => {
      const { model, optimizer, gradients, free } = trained();
      const average = new WeightAverage(model);
      const parameter = model.get('a')!;
      const moment = optimizer.state().tensors.get('1/slots/firstMoment/a')!;
      const kept = [tf.clone(parameter), tf.reshape(parameter, [1200]), tf.clone(moment)];
      const before = kept.map(tensor => tensor.dataSync());
      const averaged = average.state().get('a')!.dataSync();
      optimizer.apply(gradients);
      optimizer.apply(gradients);
      expect(kept.map(tensor => tensor.dataSync())).toEqual(before);
      expect(average.state().get('a')!.dataSync()).toEqual(averaged);
      expect(parameter.dataSync()).not.toEqual(before[0]);
      tf.dispose(kept);
      average.dispose();
      free();
    }));

  it('is told apart: two variables on the same values, a parameter that is its own gradient', () =>
    expectNoLeak(() => {
      const value = tf.tensor1d([1, 2, 3]);
      const model = new Map([
        ['a', tf.variable(value)],
        ['b', tf.variable(value)],
      ]);
      const optimizer = new Optimizer(sgd({ learningRate: 0.5 }), model);
      const gradient = tf.tensor1d([2, 2, 2]);
      optimizer.apply(
        new Map([
          ['a', gradient],
          ['b', model.get('a')!],
        ]),
      );
      optimizer.apply(
        new Map([
          ['a', model.get('a')!],
          ['b', model.get('a')!],
        ]),
      );
      expect([...value.dataSync()]).toEqual([1, 2, 3]);
      expect([...model.get('a')!.dataSync()]).toEqual([0, 0.5, 1]);
      expect([...model.get('b')!.dataSync()]).toEqual([0.5, 0.5, 0.5]);
      tf.dispose([value, gradient, ...model.values()]);
      optimizer.dispose();
    }));

  it('one Variable under two paths gets both updates, from its old value', () =>
    expectNoLeak(() => {
      const value = tf.tensor1d([4]);
      const shared = tf.variable(value);
      const optimizer = new Optimizer(
        adamw({ learningRate: 0.1, weightDecay: 1 }),
        new Map([
          ['a', shared],
          ['b', shared],
        ]),
      );
      const gradient = tf.tensor1d([3]);
      optimizer.apply(
        new Map([
          ['a', gradient],
          ['b', gradient],
        ]),
      );
      expect(shared.dataSync()[0]).toBeCloseTo(4 - 2 * (0.1 + 0.1 * 4), 5);
      tf.dispose([value, shared, gradient]);
      optimizer.dispose();
    }));

  it('values that another engine made, or that were cast from integers, are moved first', async () => {
    await tf.setBackend('cpu');
    const elsewhere = tf.variable(tf.tensor1d([1, 2]));
    await tf.setBackend('ostinato-cpu');
    const cast = tf.tidy(() => tf.variable(tf.cast(tf.tensor1d([1, 2], 'int32'), 'float32')));
    const model = new Map([
      ['a', elsewhere],
      ['b', cast],
    ]);
    const optimizer = new Optimizer(sgd({ learningRate: 1 }), model);
    const gradient = tf.tensor1d([0.5, 0.5]);
    for (let step = 0; step < 2; step++) optimizer.apply(new Map([...model.keys()].map(path => [path, gradient])));
    for (const variable of model.values()) expect([...variable.dataSync()]).toEqual([0, 1]);
    tf.dispose([gradient, ...model.values()]);
    optimizer.dispose();
  });
});

describe('a step that is not made', () => {
  it('changes nothing when it is discarded, after its norm and its updates were asked for', () =>
    expectNoLeak(() => {
      const { model, optimizer, gradients, free } = trained();
      const before = readAll(model, optimizer);
      const proposal = optimizer.propose(gradients);
      const [norm] = tf.tidy(() => proposal.norm().dataSync());
      expect(proposal.size).toBe(3);
      const length = Math.hypot(...[...proposal.updates.values()].flatMap(update => [...update.dataSync()]));
      expect(norm).toBeCloseTo(length, 5);
      proposal.discard();
      expect(readAll(model, optimizer)).toEqual(before);
      expect(() => proposal.updates).not.toThrow();
      expect(() => proposal.norm()).toThrow('Proposal.norm: a proposal can be looked at until it ends');
      free();
    }));

  it('is the same step, whether its updates were looked at or not', () => {
    const [first, second] = [trained(), trained()];
    first.optimizer.propose(first.gradients).commit();
    const proposal = second.optimizer.propose(second.gradients);
    expect(proposal.updates.size).toBe(3);
    proposal.commit();
    const [got, want] = [first, second].map(({ model }) => [...model.values()].flatMap(value => [...value.dataSync()]));
    expect(allClose(got!, want!, 1e-6)).toMatchObject({ close: true });
    first.free();
    second.free();
  });

  it('is refused when the optimizer has gone on', () =>
    expectNoLeak(() => {
      const { model, optimizer, gradients, free } = trained();
      const stale = optimizer.propose(gradients);
      optimizer.apply(gradients);
      const before = readAll(model, optimizer);
      expect(() => stale.commit()).toThrow('the optimizer must be as it was when the update was proposed');
      expect(() => stale.updates).toThrow('Proposal.updates: the optimizer must be');
      stale.discard();
      expect(readAll(model, optimizer)).toEqual(before);
      free();
    }));

  it('changes nothing in fit when a gradient is not a number', async () => {
    const { model, optimizer, free } = trained();
    const before = readAll(model, optimizer);
    const events: string[] = [];
    const loss = () => ({ loss: tf.sum(tf.mul(model.get('a')!, tf.scalar(Number.NaN))) });
    for await (const event of fit({ optimizer, steps: 3, batches: [1, 2, 3].values(), loss })) events.push(event.event);
    expect(events).toEqual(['start', 'stopped']);
    expect(readAll(model, optimizer)).toEqual(before);
    free();
  });

  const small = 'small-memory';
  beforeAll(() => {
    tf.registerBackend(small, () => new OstinatoCpuBackend({ maximumPages: 1600 }));
    tf.copyRegisteredKernels('ostinato-cpu', small);
  });
  afterAll(() => tf.removeBackend(small));

  it.each([
    ['in place', fused['adamw']!],
    ['on the general path', general['clipping the update']!],
  ])('changes nothing when the memory is exhausted: %s', async (_, make) => {
    await tf.setBackend(small);
    // 4 MB each. The clone of a parameter makes the step need memory of its own, of which there is too little.
    const large: Drawn = {
      shapes: [
        [1024, 1024],
        [1024, 1024],
      ],
      seed: 1,
    };
    const model = variables(large);
    const optimizer = new Optimizer(make(), model);
    const gradients = draw(large, 'gradient');
    optimizer.apply(gradients);
    const held = [tf.clone(model.get('b')!)];
    expect(() => {
      for (;;) held.push(tf.add(held[0]!, 1));
    }).toThrow('memory limit');
    const read = (): unknown => [
      optimizer.step,
      ...[...model.values(), ...optimizer.state().tensors.values()].map(value => value.dataSync().slice(0, 100)),
    ];
    const [before, count] = [read(), tf.memory().numTensors];
    expect(() => optimizer.apply(gradients)).toThrow('memory limit');
    expect(read()).toEqual(before);
    expect(tf.memory().numTensors).toBe(count);
    tf.dispose(held);
    optimizer.apply(gradients);
    expect(optimizer.step).toBe(2);
    tf.dispose([...gradients.values(), ...model.values()]);
    optimizer.dispose();
  });
});
