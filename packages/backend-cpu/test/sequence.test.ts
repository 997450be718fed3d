// The fused recurrences, forward and backward, against the same equations in plain ops on the stock CPU backend.
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import '../src/index.ts';
import { gruStep, lstmStep, type Operands, rnnStep, unroll } from './recurrence-reference.ts';
import { absent, expectClose, numbers, on, runKernel, type Tensors } from './support.ts';

interface Case {
  batch: number;
  time: number;
  inputs: number;
  hidden: number;
  projected: number | null;
  hasBias: boolean;
  lengths: number[] | null;
  reverse: boolean;
  variant: boolean;
  seed: number;
}

const cases = fc
  .record({
    batch: fc.integer({ min: 1, max: 8 }),
    time: fc.integer({ min: 1, max: 5 }),
    inputs: fc.integer({ min: 1, max: 9 }),
    hidden: fc.integer({ min: 1, max: 19 }),
    projected: fc.option(fc.integer({ min: 1, max: 11 })),
    hasBias: fc.boolean(),
    padded: fc.boolean(),
    reverse: fc.boolean(),
    variant: fc.boolean(),
    seed: fc.integer({ min: 1, max: 1e6 }),
  })
  .chain(({ padded, ...rest }) =>
    fc.record({
      ...(Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, fc.constant(value)])) as unknown as {
        [Key in keyof typeof rest]: fc.Arbitrary<(typeof rest)[Key]>;
      }),
      lengths: padded
        ? fc.array(fc.integer({ min: 0, max: rest.time }), { minLength: rest.batch, maxLength: rest.batch })
        : fc.constant(null),
    }),
  );

interface Recurrence {
  kernel: string;
  /** Operands that receive a gradient, in the contract's order, with their shapes ([0] when absent). */
  shapes: (sizes: Case) => Record<string, number[]>;
  states: string[];
  attributes: (sizes: Case) => object;
  step: (operands: Operands, sizes: Case) => Parameters<typeof unroll>[2];
}

const recurrences: Recurrence[] = [
  {
    kernel: 'OstinatoRnn',
    shapes: ({ batch, time, inputs, hidden, hasBias }) => ({
      input: [batch, time, inputs],
      inputWeight: [inputs, hidden],
      recurrentWeight: [hidden, hidden],
      bias: hasBias ? [hidden] : [0],
      initialHidden: [batch, hidden],
    }),
    states: ['initialHidden'],
    attributes: ({ reverse, variant }) => ({ reverse, activation: variant ? 'tanh' : 'relu' }),
    step: (operands, { variant }) => rnnStep(operands, variant ? 'tanh' : 'relu'),
  },
  {
    kernel: 'OstinatoLstm',
    shapes: ({ batch, time, inputs, hidden, hasBias, projected }) => ({
      input: [batch, time, inputs],
      inputWeight: [inputs, 4 * hidden],
      recurrentWeight: [projected ?? hidden, 4 * hidden],
      bias: hasBias ? [4 * hidden] : [0],
      initialHidden: [batch, projected ?? hidden],
      initialCell: [batch, hidden],
      projection: projected ? [hidden, projected] : [0],
    }),
    states: ['initialHidden', 'initialCell'],
    attributes: ({ reverse }) => ({ reverse }),
    step: operands => lstmStep(operands),
  },
  {
    kernel: 'OstinatoGru',
    shapes: ({ batch, time, inputs, hidden, hasBias, variant }) => ({
      input: [batch, time, inputs],
      inputWeight: [inputs, 3 * hidden],
      recurrentWeight: [hidden, 3 * hidden],
      bias: hasBias ? [3 * hidden] : [0],
      recurrentBias: hasBias && variant ? [3 * hidden] : [0],
      initialHidden: [batch, hidden],
    }),
    states: ['initialHidden'],
    attributes: ({ reverse, variant }) => ({ reverse, resetAfter: variant }),
    step: (operands, { variant }) => gruStep(operands, variant),
  },
];

/** Values of every operand, by name. */
function operandValues({ shapes }: Recurrence, sizes: Case): Record<string, { shape: number[]; values: Float32Array }> {
  return Object.fromEntries(
    Object.entries(shapes(sizes)).map(([name, shape], index) => [
      name,
      { shape, values: numbers(sizes.seed + 977 * index, tf.util.sizeFromShape(shape)) },
    ]),
  );
}

function outputsAndGradients(recurrence: Recurrence, sizes: Case, fused: boolean): tf.Tensor[] {
  const { kernel, states } = recurrence;
  const operands: Tensors = Object.fromEntries(
    Object.entries(operandValues(recurrence, sizes)).map(([name, { shape, values }]) => [
      name,
      tf.tensor(values, shape),
    ]),
  );
  const widths = states.map(name => operands[name]!.shape[1]!);
  const dOutput = tf.tensor(numbers(5, sizes.batch * sizes.time * widths[0]!), [sizes.batch, sizes.time, widths[0]!]);
  const dStates = widths.map((width, index) =>
    tf.tensor(numbers(7 + index, sizes.batch * width), [sizes.batch, width]),
  );
  if (fused) {
    const lengths = sizes.lengths ? tf.tensor1d(sizes.lengths, 'int32') : absent();
    const attributes = recurrence.attributes(sizes);
    const outputs = runKernel(kernel, { ...operands, lengths }, attributes);
    const [output, ...rest] = outputs;
    const reserve = rest[states.length];
    const gradientInputs = {
      ...{ ...operands, lengths, output: output!, ...(reserve ? { reserve } : {}), dOutput },
      ...{ dHidden: dStates[0]!, ...(dStates[1] ? { dCell: dStates[1] } : {}) },
    };
    return [...outputs.slice(0, 1 + states.length), ...runKernel(`${kernel}Grad`, gradientInputs, attributes)];
  }
  const names = Object.keys(operands);
  const lengths = sizes.lengths ?? new Array(sizes.batch).fill(sizes.time);
  const forward = (...values: tf.Tensor[]) => {
    const given = Object.fromEntries(values.map((value, index) => [names[index]!, value]));
    const initial = states.map(name => given[name] as tf.Tensor2D);
    const step = recurrence.step(given, sizes);
    return unroll(given['input'] as tf.Tensor3D, initial, step, { lengths, reverse: sizes.reverse });
  };
  const loss = (...values: tf.Tensor[]) => {
    const [output, ...finals] = forward(...values);
    const terms = [tf.mul(output!, dOutput), ...finals.map((state, index) => tf.mul(state, dStates[index]!))];
    // Every operand takes part, so that one which no valid step used has a zero gradient.
    const used = values.map(value => tf.mul(tf.sum(value), 0));
    return [...terms.map(term => tf.sum(term)), ...used].reduce((sum, term) => tf.add(sum, term)) as tf.Scalar;
  };
  const values = Object.values(operands);
  return [...forward(...values), ...tf.grads(loss)(values)];
}

describe.each(recurrences)('$kernel', recurrence => {
  it('matches composed ops, forward and backward', () => {
    fc.assert(
      fc.property(cases, sizes => {
        const fused = on('ostinato-cpu', () => outputsAndGradients(recurrence, sizes, true));
        const composed = on('cpu', () => outputsAndGradients(recurrence, sizes, false));
        expectClose(fused, composed);
      }),
      { numRuns: 60 },
    );
  });

  it('works at batch 7, hidden 37, more than one block deep', () => {
    const sizes: Case = {
      ...{ batch: 7, time: 3, inputs: 400, hidden: 37, projected: 13, hasBias: true },
      ...{ lengths: [3, 0, 1, 3, 2, 2, 3], reverse: true, variant: true, seed: 3 },
    };
    const fused = on('ostinato-cpu', () => outputsAndGradients(recurrence, sizes, true));
    const composed = on('cpu', () => outputsAndGradients(recurrence, sizes, false));
    expectClose(fused, composed, { absolute: 2e-4, relative: 2e-4 });
  });

  it('gives zeros and the initial state when every row is empty', () => {
    const sizes: Case = {
      ...{ batch: 3, time: 4, inputs: 2, hidden: 5, projected: null, hasBias: true },
      ...{ lengths: [0, 0, 0], reverse: false, variant: true, seed: 3 },
    };
    const fused = on('ostinato-cpu', () => outputsAndGradients(recurrence, sizes, true));
    const composed = on('cpu', () => outputsAndGradients(recurrence, sizes, false));
    expectClose(fused, composed, { absolute: 0, relative: 0 });
  });

  it('rejects lengths outside the sequence', () => {
    const sizes: Case = {
      ...{ batch: 2, time: 3, inputs: 2, hidden: 4, projected: null, hasBias: true },
      ...{ lengths: [4, 1], reverse: false, variant: true, seed: 3 },
    };
    expect(() => on('ostinato-cpu', () => outputsAndGradients(recurrence, sizes, true))).toThrow(
      /lengths must be int32/,
    );
  });
});
