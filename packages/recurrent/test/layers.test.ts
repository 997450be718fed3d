import { mapState, parameters, Rng, type State, stateTensors } from '@ostinato/core';
import { gradCheck } from '@ostinato/testing';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { GRU, LSTM, RNN, type SequenceCell, type SequenceResult, type UnrollOptions, unroll } from '../src/index.ts';
import {
  checkGradient,
  expectClose,
  expectOnlyResult,
  expectSame,
  kinds,
  random,
  randomState,
  weighted,
} from './helpers.ts';

const batch = 3;
const time = 6;
const inputSize = 4;
const hiddenSize = 5;
const lengths = [6, 1, 4];
// Row 0 begins anew at 2 and 3, row 1 at 0 and (beyond its length) at 4, row 2 at 2.
const resets = [0, 0, 1, 1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0];

const input = tf.keep(random([batch, time, inputSize]));

const situations: Record<string, { lengths?: number[]; resets?: number[]; state?: boolean }> = {
  plain: {},
  'initial state': { state: true },
  lengths: { lengths },
  'lengths and initial state': { lengths: [6, 0, 4], state: true },
  resets: { resets },
  'resets and initial state': { resets, state: true },
  'resets, lengths and initial state': { resets, lengths, state: true },
};

describe.each(Object.entries(kinds))('%s', (kind, create) => {
  it.each(Object.entries(situations))('is the unroll of its cells: %s', (_name, { state, ...options }) => {
    for (const reverse of [false, true]) {
      const layer = create({ inputSize, hiddenSize, bidirectional: true });
      const cell = layer.layers[0]![reverse ? 'backward' : 'forward'] as unknown as SequenceCell<{ hidden: tf.Tensor }>;
      tf.tidy(() => {
        const initial = randomState(layer.initialState(batch)) as never;
        const call = (): SequenceResult<State> => {
          const both = layer.call(input, { ...options, ...(state ? { state: initial } : {}) });
          const [first, second] = tf.split(both.output, 2, 2);
          return reverse ? { output: second!, state: both.state[1]! } : { output: first!, state: both.state[0]! };
        };
        const byStep = (): SequenceResult<State> => {
          const own: UnrollOptions<{ hidden: tf.Tensor }> = { ...options, reverse };
          return unroll(cell, input, state ? { ...own, state: initial[reverse ? 1 : 0]! } : own);
        };
        expectSame(call(), byStep());

        const variables = [...parameters(cell as unknown as RNN).values()];
        const got = tf.variableGrads(() => weighted(call()), variables).grads;
        const want = tf.variableGrads(() => weighted(byStep()), variables).grads;
        for (const { name } of variables) expectClose(got[name]!, want[name]!);
      });
      layer.dispose();
    }
  });

  it('gives a window in two halves, with the state carried, the same result', () => {
    const layer = create({ inputSize, hiddenSize, numLayers: 2 });
    tf.tidy(() => {
      const whole = layer.call(input, { resets });
      const halves = [0, 3].map(start => tf.slice(input, [0, start, 0], [batch, 3, inputSize]));
      const flags = [0, 3].map(start => resets.filter((_, i) => i % time >= start && i % time < start + 3));
      const first = layer.call(halves[0]!, { resets: flags[0]! });
      const second = layer.call(halves[1]!, { resets: flags[1]!, state: first.state as never });
      expectSame({ output: tf.concat([first.output, second.output], 1), state: second.state }, whole);
    });
    layer.dispose();
  });

  it.each([
    ['by fused ops', false],
    ['by its cells', true],
  ])('is itself a cell: unrolling its steps %s is calling it', (_, layerNorm) => {
    const layer = create({ inputSize, hiddenSize, numLayers: 2, layerNorm });
    tf.tidy(() =>
      expectSame(unroll(layer as unknown as RNN, input, { lengths, resets }), layer.call(input, { lengths, resets })),
    );
    layer.dispose();
  });

  it('has the gradient that finite differences have', () => {
    const layer = create({ inputSize, hiddenSize, numLayers: 2, bidirectional: true, rng: new Rng(5) });
    for (const variable of parameters(layer).values())
      checkGradient(variable, () => weighted(layer.call(input, { lengths, resets })), 3);
    layer.dispose();
  });

  it('has the gradient that finite differences have, by input and initial state', () => {
    const layer = create({ inputSize, hiddenSize, bidirectional: true, rng: new Rng(5) });
    tf.tidy(() => {
      const state = randomState(layer.initialState(batch));
      const sizes = stateTensors(state as State).length;
      const body = (x: tf.Tensor, ...tensors: tf.Tensor[]): tf.Tensor[] => {
        let next = 0;
        const given = mapState(state as State, () => tensors[next++]!);
        const result = layer.call(x, { state: given as never, lengths: [6, 0, 4] });
        return [result.output, ...stateTensors(result.state)];
      };
      // ReLU has kinks, which a shorter step meets less often.
      const options = kind === 'RNN relu' ? { step: 1e-3, tolerance: 1e-2 } : {};
      const { checked } = gradCheck(body, [input, ...stateTensors(state as State)], options);
      expect(checked).toBeGreaterThan(12 * sizes);
    });
    layer.dispose();
  });

  it('leaks nothing', () => {
    const layer = create({ inputSize, hiddenSize, numLayers: 2, bidirectional: true });
    expectOnlyResult(() => layer.call(input));
    expectOnlyResult(() => layer.call(input, { lengths, resets }));
    layer.dispose();
    const before = tf.memory().numTensors;
    create({ inputSize, hiddenSize, numLayers: 2, layerNorm: true }).dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('leaves the state that it was given alone', () => {
    const layer = create({ inputSize, hiddenSize });
    const state = layer.initialState(batch);
    expectOnlyResult(() => layer.call(input, { state: state as never, lengths: [0, 0, 0] }));
    const step = random([batch, inputSize]);
    expectOnlyResult(() => layer.step(step, state as never));
    for (const { hidden } of state) expect(hidden.isDisposed).toBe(false);
    layer.dispose();
  });
});

describe('resets', () => {
  it('run documents as if each were alone, in both directions', () => {
    const layer = new LSTM({ inputSize, hiddenSize, bidirectional: true });
    tf.tidy(() => {
      const row = tf.slice(input, [0, 0, 0], [1, time, inputSize]);
      const documents = [0, 2].map(
        (start, i) => layer.call(tf.slice(row, [0, start, 0], [1, i === 0 ? 2 : 4, inputSize])).output,
      );
      const { output } = layer.call(row, { resets: [true, false, true, false, false, false] });
      expectClose(output, tf.concat(documents, 1));
    });
    layer.dispose();
  });

  it('let no gradient pass', () => {
    const layer = new GRU({ inputSize, hiddenSize });
    tf.tidy(() => {
      const last = (x: tf.Tensor): tf.Tensor =>
        tf.sum(layer.call(x, { resets: Array.from({ length: 18 }, (_, i) => i % time === 3) }).state[0]!.hidden);
      const gradient = tf.grad(last)(input);
      const before = tf.slice(gradient, [0, 0, 0], [batch, 3, inputSize]);
      expect(tf.max(tf.abs(before)).dataSync()[0]).toBe(0);
      expect(tf.max(tf.abs(gradient)).dataSync()[0]).toBeGreaterThan(0);
    });
    layer.dispose();
  });
});

describe('lengths', () => {
  it('may be a tensor, and a row without steps keeps its state', () => {
    const layer = new LSTM({ inputSize, hiddenSize, bidirectional: true, numLayers: 2 });
    tf.tidy(() => {
      const state = randomState(layer.initialState(batch));
      const asTensor = layer.call(input, { state, lengths: tf.tensor1d([6, 0, 2], 'int32') });
      expectSame(layer.call(input, { state, lengths: Int32Array.of(6, 0, 2) }), asTensor);
      const row = (tensor: tf.Tensor): tf.Tensor => tf.slice(tensor, [1, 0], [1, -1]);
      expectClose(row(asTensor.state[3]!.cell), row(state[3]!.cell));
      expect(tf.max(tf.abs(tf.slice(asTensor.output, [2, 2, 0], [1, 4, 10]))).dataSync()[0]).toBe(0);
    });
    layer.dispose();
  });
});

describe('merge', () => {
  it.each(['sum', 'average', 'product'] as const)('%s of both directions', merge => {
    const shared = { inputSize, hiddenSize, bidirectional: true, numLayers: 1 };
    const [apart, merged] = [new RNN(shared), new RNN({ ...shared, merge })];
    expect(merged.outputSize).toBe(hiddenSize);
    tf.tidy(() => {
      const [a, b] = tf.split(apart.call(input, { lengths }).output, 2, 2) as [tf.Tensor, tf.Tensor];
      const want = { sum: tf.add(a, b), average: tf.div(tf.add(a, b), 2), product: tf.mul(a, b) }[merge];
      expectClose(merged.call(input, { lengths }).output, want);
    });
    apart.dispose();
    merged.dispose();
  });

  it('widens the layers above only when the directions stand side by side', () => {
    const shared = { inputSize, hiddenSize, bidirectional: true, numLayers: 2 };
    const [apart, summed] = [new GRU(shared), new GRU({ ...shared, merge: 'sum' })];
    expect([apart.outputSize, summed.outputSize]).toEqual([10, 5]);
    expect(apart.layers[1]!.forward.inputWeight.shape).toEqual([10, 15]);
    expect(summed.layers[1]!.forward.inputWeight.shape).toEqual([5, 15]);
    apart.dispose();
    summed.dispose();
  });
});

describe('parameters', () => {
  it('have readable paths', () => {
    const lstm = new LSTM({ inputSize, hiddenSize, numLayers: 2, bidirectional: true, projectionSize: 2 });
    const cell = ['inputWeight', 'recurrentWeight', 'bias', 'projection'];
    const prefixes = ['layers.0.forward', 'layers.0.backward', 'layers.1.forward', 'layers.1.backward'];
    expect([...parameters(lstm).keys()]).toEqual(prefixes.flatMap(prefix => cell.map(name => `${prefix}.${name}`)));
    lstm.dispose();
    const gru = new GRU({ inputSize, hiddenSize, layerNorm: true });
    expect([...parameters(gru).keys()].map(path => path.replace('layers.0.forward.', ''))).toEqual([
      'inputWeight',
      'recurrentWeight',
      'bias',
      'recurrentBias',
      'inputGateNorm.gain',
      'inputCandidateNorm.gain',
      'recurrentGateNorm.gain',
      'recurrentCandidateNorm.gain',
    ]);
    gru.dispose();
  });
});

describe('errors', () => {
  const lstm = new LSTM({ inputSize, hiddenSize });
  const both = new RNN({ inputSize, hiddenSize, bidirectional: true });
  const state = lstm.initialState(batch);
  const cases: [string, () => unknown, string][] = [
    [
      'input size',
      () => lstm.call(tf.zeros([4, 6, 7])),
      'LSTM.call: input must be [batch, time, inputSize], expected [?, ?, 4], got [4, 6, 7].',
    ],
    [
      'an array',
      () => lstm.call([[[1, 2, 3, 4]]] as unknown as tf.Tensor),
      'LSTM.call: input must be a tensor [batch, time, inputSize], got an array. Make one of numbers with tf.tensor.',
    ],
    ['no steps', () => lstm.call(tf.zeros([4, 0, 4])), 'LSTM.call: input must have at least one step, got [4, 0, 4].'],
    ['dtype', () => lstm.call(tf.zeros([1, 2, 4], 'int32')), 'LSTM.call: input must have dtype float32, got int32.'],
    [
      'lengths',
      () => lstm.call(input, { lengths: [1, 7, 2] }),
      'LSTM.call: every length must be an integer in 0 … 6, got 7.',
    ],
    [
      'number of lengths',
      () => lstm.call(input, { lengths: [1] }),
      'LSTM.call: lengths must be [batch], expected [3], got [1].',
    ],
    [
      'dtype of lengths',
      () => lstm.call(input, { lengths: tf.ones([3]) }),
      'LSTM.call: lengths must have dtype int32, got float32.',
    ],
    [
      'resets',
      () => lstm.call(input, { resets: [1] }),
      'LSTM.call: resets must have one entry per row and step (row-major [batch, time]), expected 3 · 6 = 18, got 1.',
    ],
    [
      'number of states',
      () => lstm.call(input, { state: [] }),
      'LSTM.call: state must have one entry per layer and direction, expected 1, got 0.',
    ],
    [
      'state',
      () => lstm.call(input, { state: [{ hidden: state[0]!.hidden }] as never }),
      'LSTM.call: state.0 must have a tensor `cell`, expected { hidden, cell }, got { hidden }.',
    ],
    [
      'batch of the state',
      () => lstm.step(tf.zeros([2, 4]), state),
      'LSTM.step: state.0.hidden must be [batch, size], expected [2, 5], got [3, 5].',
    ],
    [
      'step of both directions',
      () => both.step(tf.zeros([2, 4]), both.initialState(2)),
      'RNN.step: the layers must read in one direction',
    ],
    [
      'merge',
      () => new LSTM({ inputSize, hiddenSize, merge: 'max' as 'sum' }),
      "LSTM: unknown merge, expected 'concat' | 'sum' | 'average' | 'product', got 'max'.",
    ],
    [
      'numLayers',
      () => new GRU({ inputSize, hiddenSize, numLayers: 0 }),
      'GRU: numLayers must be an integer ≥ 1, got 0.',
    ],
    [
      'dropout',
      () => new GRU({ inputSize, hiddenSize, dropout: 1 }),
      'GRU: dropout must be a finite number ≥ 0 < 1, got 1.',
    ],
    [
      'hiddenSize',
      () => new GRU({ inputSize, hiddenSize: 2.5 }),
      'GRUCell: hiddenSize must be an integer ≥ 1, got 2.5.',
    ],
    [
      'activation',
      () => new RNN({ inputSize, hiddenSize, activation: 'gelu' as 'relu' }),
      "RNNCell: unknown activation, expected 'tanh' | 'relu', got 'gelu'.",
    ],
    [
      'forgetBias',
      () => new LSTM({ inputSize, hiddenSize, bias: false, forgetBias: 1 }),
      'LSTMCell: forgetBias needs a bias, got bias: false.',
    ],
    [
      'no rng',
      () => new LSTM({ inputSize, hiddenSize, inputDropout: 0.5 }).call(input, { training: true }),
      'layers.0 (Dropout.call): training needs an rng',
    ],
  ];

  it.each(cases)('%s', (_name, act, message) => {
    tf.tidy(() => {
      expect(act).toThrow(message);
    });
  });
});
