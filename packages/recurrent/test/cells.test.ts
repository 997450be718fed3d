import { normal, parameters, Rng, ShapeError } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import {
  GRU,
  GRUCell,
  irnn,
  kerasInitializers,
  LSTM,
  LSTMCell,
  RNN,
  RNNCell,
  unroll,
  VanillaRNNCell,
} from '../src/index.ts';
import { checkGradient, expectClose, expectOnlyResult, random, weighted } from './helpers.ts';

const sizes = { inputSize: 3, hiddenSize: 4 };
const input = tf.keep(random([2, 5, 3]));

const cells = {
  VanillaRNNCell: () => new VanillaRNNCell({ ...sizes, outputSize: 2 }),
  RNNCell: () => new RNNCell(sizes),
  'RNNCell with layer norm': () => new RNNCell({ ...sizes, layerNorm: true }),
  LSTMCell: () => new LSTMCell(sizes),
  'LSTMCell with layer norm and projection': () => new LSTMCell({ ...sizes, layerNorm: true, projectionSize: 2 }),
  GRUCell: () => new GRUCell(sizes),
  'GRUCell with layer norm': () => new GRUCell({ ...sizes, layerNorm: true }),
  'GRUCell, reset before, with layer norm': () => new GRUCell({ ...sizes, layerNorm: true, resetAfter: false }),
};

describe.each(Object.entries(cells))('%s', (_name, create) => {
  const cell = create() as unknown as RNNCell;

  it('has the gradient that finite differences have', () => {
    for (const variable of parameters(cell).values())
      checkGradient(variable, () => weighted(unroll(cell, input, { lengths: [5, 3] })));
  });

  it('leaks nothing, and output and state can be disposed apart', () => {
    const state = cell.initialState(2);
    const x = random([2, 3]);
    expectOnlyResult(() => cell.step(x, state));
    expect(state.hidden.isDisposed).toBe(false);
  });

  it('says what does not fit', () => {
    const name = cell.constructor.name;
    tf.tidy(() => {
      expect(() => cell.step(tf.zeros([2, 4]), cell.initialState(2))).toThrow(
        `${name}.step: input must be [batch, inputSize], expected [?, 3], got [2, 4].`,
      );
      expect(() => cell.step(tf.zeros([2, 3]), cell.initialState(1))).toThrow(
        `${name}.step: state.hidden must be [batch, size]`,
      );
      expect(() => cell.step(tf.zeros([2, 3]), {} as never)).toThrow(
        `${name}.step: state must have a tensor \`hidden\``,
      );
    });
  });
});

describe('VanillaRNNCell', () => {
  it('computes hₜ = tanh(xₜ W_xh + hₜ₋₁ W_hh + b_h), yₜ = hₜ W_hy + b_y', () => {
    const cell = new VanillaRNNCell({ inputSize: 1, hiddenSize: 1, outputSize: 1 });
    const set = (name: string, value: number): void =>
      tf.tidy(
        () =>
          void parameters(cell)
            .get(name)!
            .assign(tf.fill(parameters(cell).get(name)!.shape, value)),
      );
    for (const [name, value] of [
      ['W_xh', 2],
      ['W_hh', -1],
      ['b_h', 0.5],
      ['W_hy', 3],
      ['b_y', 1],
    ] as const)
      set(name, value);
    const { output, state } = cell.step(tf.tensor2d([[0.3]]), { hidden: tf.tensor2d([[0.2]]) });
    const hidden = Math.tanh(0.3 * 2 - 0.2 + 0.5);
    expectClose(state.hidden, [hidden]);
    expectClose(output, [3 * hidden + 1]);
    cell.dispose();
  });

  it('is an RNN with a linear layer on top', () => {
    const cell = new VanillaRNNCell({ ...sizes, outputSize: 2 });
    const rnn = new RNN(sizes);
    tf.tidy(() => {
      const { forward } = rnn.layers[0]!;
      forward.inputWeight.assign(cell.W_xh);
      forward.recurrentWeight.assign(cell.W_hh);
      forward.bias!.assign(cell.b_h);
      const hidden = tf.reshape(rnn.call(input).output, [10, 4]);
      expectClose(tf.reshape(unroll(cell, input).output, [10, 2]), tf.add(tf.matMul(hidden, cell.W_hy), cell.b_y));
    });
  });
});

/** Layer norm of one row with gain one, in plain numbers. */
function norm(values: number[]): number[] {
  const mean = values.reduce((a, b) => a + b) / values.length;
  const variance = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length;
  return values.map(x => (x - mean) / Math.sqrt(variance + 1e-5));
}

const product = (row: number[], weight: tf.Tensor): number[] => {
  const [rows, columns] = weight.shape as [number, number];
  const values = weight.dataSync();
  return Array.from({ length: columns }, (_, j) =>
    row.reduce((sum, x, i) => sum + x * values[i * columns + j]!, 0),
  ).slice(0, rows * columns);
};

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

describe('layer norm in the cell (Ba et al. 2016)', () => {
  const x = [0.3, -1, 0.8];
  const h = [0.1, 0.5, -0.4, 0.9];

  it('RNN: h = tanh(LN(xW + hU) + b)', () => {
    const cell = new RNNCell({ ...sizes, layerNorm: true });
    const b = cell.bias!.dataSync();
    const recurrent = product(h, cell.recurrentWeight);
    const want = norm(product(x, cell.inputWeight).map((a, i) => a + recurrent[i]!)).map((a, i) =>
      Math.tanh(a + b[i]!),
    );
    expectClose(cell.step(tf.tensor2d([x]), { hidden: tf.tensor2d([h]) }).output, want);
  });

  it.each([true, false])('GRU: every product normalised (reset after: %s)', resetAfter => {
    const cell = new GRUCell({ ...sizes, layerNorm: true, resetAfter });
    const b = cell.bias!.dataSync();
    const c = cell.recurrentBias?.dataSync() ?? new Float32Array(12);
    const [fromInput, fromState] = [product(x, cell.inputWeight), product(h, cell.recurrentWeight)];
    const [inputGates, stateGates] = [norm(fromInput.slice(0, 8)), norm(fromState.slice(0, 8))];
    const gates = inputGates.map((a, i) => sigmoid(a + b[i]! + stateGates[i]! + c[i]!));
    const candidateWeight = tf.slice(cell.recurrentWeight, [0, 8], [4, 4]);
    const reset = (row: number[]): number[] => row.map((a, i) => a * gates[i]!);
    const recurrent = resetAfter
      ? reset(norm(fromState.slice(8)).map((a, i) => a + c[8 + i]!))
      : norm(product(reset(h), candidateWeight));
    const n = norm(fromInput.slice(8)).map((a, i) => Math.tanh(a + b[8 + i]! + recurrent[i]!));
    const want = n.map((a, i) => (1 - gates[4 + i]!) * a + gates[4 + i]! * h[i]!);
    expectClose(cell.step(tf.tensor2d([x]), { hidden: tf.tensor2d([h]) }).output, want);
  });
});

describe('initial weights', () => {
  const moments = (tensor: tf.Tensor): { largest: number; variance: number } => {
    const values = Array.from(tensor.dataSync());
    return {
      largest: Math.max(...values.map(Math.abs)),
      variance: values.reduce((sum, x) => sum + x * x, 0) / values.length,
    };
  };

  it("are PyTorch's: uniform within 1/√H, a bias that stands for two the sum of two draws", () => {
    const hiddenSize = 100;
    for (const [layer, merged] of [
      [new LSTM({ inputSize: 20, hiddenSize }), 2],
      [new RNN({ inputSize: 20, hiddenSize }), 2],
      [new GRU({ inputSize: 20, hiddenSize }), 1],
    ] as const) {
      const cell = layer.layers[0]!.forward;
      for (const weight of [cell.inputWeight, cell.recurrentWeight]) {
        expect(moments(weight).largest).toBeLessThanOrEqual(0.1);
        expect(moments(weight).variance * 300).toBeCloseTo(1, 0.9); // (2/√H)² / 12
      }
      expect(moments(cell.bias!).largest).toBeLessThanOrEqual(0.1 * merged);
      expect(Math.abs(moments(cell.bias!).variance * 300 - merged)).toBeLessThan(0.5);
      layer.dispose();
    }
  });

  it("are Keras's with kerasInitializers: orthogonal U, zero b but one at the forget gate", () => {
    const lstm = new LSTM({ ...sizes, ...kerasInitializers });
    const { recurrentWeight, bias } = lstm.layers[0]!.forward;
    expectClose(tf.matMul(recurrentWeight, recurrentWeight, false, true), tf.eye(4));
    expect(Array.from(bias!.dataSync())).toEqual([0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    const gru = new GRU({ ...sizes, ...kerasInitializers });
    expect(moments(gru.layers[0]!.forward.bias!).largest).toBe(0);
  });

  it('has the given forget bias', () => {
    const drawn = new LSTM(sizes).layers[0]!.forward.bias!.dataSync();
    const bias = new LSTM({ ...sizes, forgetBias: 3 }).layers[0]!.forward.bias!.dataSync();
    expect(Array.from(bias)).toEqual(Array.from(drawn, (x, i) => (i >= 4 && i < 8 ? 3 : x)));
  });

  it('of an IRNN repeat a non-negative state for ever when nothing comes in', () => {
    const network = new RNN({ ...sizes, ...irnn });
    const state = [{ hidden: tf.tensor2d([[1, 0, 2, 0.5]]) }];
    expectClose(network.call(tf.zeros([1, 50, 3]), { state }).state[0]!.hidden, [1, 0, 2, 0.5]);
    expect(network.layers[0]!.forward.activation).toBe('relu');
  });

  it('depend on the rng alone, and differ between layers and directions', () => {
    const create = (seed: number): LSTM =>
      new LSTM({ inputSize: 4, hiddenSize: 4, numLayers: 2, bidirectional: true, merge: 'sum', rng: new Rng(seed) });
    const values = (layer: LSTM): string[] => [...parameters(layer).values()].map(v => String(v.dataSync()));
    expect(values(create(3))).toEqual(values(create(3)));
    expect(new Set([...values(create(3)), ...values(create(4))]).size).toBe(24);
  });

  it('take any initializer of core', () => {
    const lstm = new LSTM({ ...sizes, recurrentInitializer: normal(0), biasInitializer: normal(0, 2) });
    expect(moments(lstm.layers[0]!.forward.recurrentWeight).largest).toBe(0);
    expect(moments(lstm.layers[0]!.forward.bias!).variance).toBe(4);
  });

  it.each([RNNCell, LSTMCell, GRUCell])('are refused when an initializer of %s returns another shape', Cell => {
    const wrong = (): tf.Tensor => tf.zeros([2, 2]);
    for (const field of ['inputInitializer', 'recurrentInitializer', 'biasInitializer']) {
      expect(() => new Cell({ ...sizes, [field]: wrong }), field).toThrow(ShapeError);
    }
  });
});

it('projects to fewer units only, like proj_size of PyTorch', () => {
  for (const projectionSize of [4, 5]) {
    expect(() => new LSTMCell({ inputSize: 2, hiddenSize: 4, projectionSize })).toThrow(
      `LSTMCell: projectionSize must be smaller than hiddenSize, expected < 4, got ${projectionSize}.`,
    );
  }
});
