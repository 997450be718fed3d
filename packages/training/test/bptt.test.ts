import {
  ArgumentError,
  type CallOptions,
  type Cell,
  disposeState,
  glorotUniform,
  Module,
  parameters,
  Rng,
  ShapeError,
  valueAndGrad,
  variable,
} from '@ostinato/core';
import { expectNoLeak } from '@ostinato/testing';
import {
  fit,
  gradientNorms,
  gradientThroughTime,
  mse,
  Optimizer,
  type RecurrentModel,
  type ResetMask,
  sgd,
  truncatedBptt,
  type Window,
  windowLoss,
  windows,
} from '@ostinato/training';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';

/** hₜ = tanh(xₜ + hₜ₋₁ W), step by step. */
class Recurrence extends Module implements RecurrentModel<tf.Tensor>, Cell<tf.Tensor> {
  readonly inputSize = 3;
  readonly outputSize = 3;
  readonly weight: tf.Variable;

  constructor() {
    super();
    this.weight = variable(glorotUniform([3, 3], new Rng(4)));
  }

  initialState(batch: number): tf.Tensor {
    return tf.zeros([batch, 3]);
  }

  step(input: tf.Tensor, state: tf.Tensor): { output: tf.Tensor; state: tf.Tensor } {
    const hidden = tf.tidy(() => tf.tanh(tf.add(input, tf.matMul(state as tf.Tensor2D, this.weight as never))));
    return { output: tf.clone(hidden), state: hidden };
  }

  call(
    input: tf.Tensor,
    { state, resets }: CallOptions & { state?: tf.Tensor | undefined; resets?: ResetMask | undefined },
  ): { output: tf.Tensor; state: tf.Tensor } {
    const [batch, time] = input.shape as [number, number, number];
    let hidden = state ?? this.initialState(batch);
    const outputs = Array.from({ length: time }, (_, t) => {
      const rows = Array.from({ length: batch }, (_, row) => (resets?.[row * time + t] ? 0 : 1));
      const kept = tf.mul(hidden, tf.tensor2d(rows, [batch, 1]));
      const x = tf.squeeze(tf.slice(input, [0, t, 0], [batch, 1, 3]), [1]);
      ({ state: hidden } = this.step(x, kept));
      return hidden;
    });
    return { output: tf.stack(outputs, 1), state: hidden };
  }
}

describe('windows', () => {
  const plan = (steps: number, k1: number, k2: number): number[][] =>
    [...windows({ steps, k1, k2 })].map(({ start, lossStart, end, nextStart }) => [start, lossStart, end, nextStart]);

  it.each([
    [
      6,
      2,
      2,
      [
        [0, 0, 2, 2],
        [2, 2, 4, 4],
        [4, 4, 6, 6],
      ],
    ],
    [
      6,
      2,
      4,
      [
        [0, 0, 2, 0],
        [0, 2, 4, 2],
        [2, 4, 6, 6],
      ],
    ],
    [
      7,
      2,
      5,
      [
        [0, 0, 2, 0],
        [0, 2, 4, 1],
        [1, 4, 6, 2],
        [2, 6, 7, 7],
      ],
    ],
    [3, 9, 9, [[0, 0, 3, 3]]],
    [0, 1, 1, []],
  ])('of %d steps, k1 = %d, k2 = %d', (steps, k1, k2, want) => {
    const got = plan(steps, k1, k2);
    expect(got).toEqual(want);
    for (let i = 1; i < got.length; i++) expect(got[i]![0]).toBe(got[i - 1]![3]);
  });

  it('never ends on a stream', () => {
    const stream = windows({ steps: Infinity, k1: 2, k2: 6 });
    const taken = Array.from({ length: 10 }, () => stream.next().value as Window);
    expect(taken.at(-1)).toEqual({ start: 14, lossStart: 18, end: 20, nextStart: 16 });
  });

  it('wants k2 ≥ k1 ≥ 1', () => {
    expect(() => plan(5, 0, 1)).toThrow(ArgumentError);
    expect(() => plan(5, 3, 2)).toThrow('k2 must be an integer ≥ 3');
  });
});

describe('truncatedBptt', () => {
  const make = (): { model: Recurrence; input: tf.Tensor; target: tf.Tensor } => ({
    model: new Recurrence(),
    input: new Rng(1).normal([2, 9, 3]),
    target: new Rng(2).normal([2, 9, 3]),
  });
  const part = (tensor: tf.Tensor, from: number, to: number): tf.Tensor =>
    tf.slice(tensor, [0, from, 0], [2, to - from, 3]);

  it.each([
    [3, 3, false],
    [2, 5, false],
    [2, 5, true],
    [4, 6, true],
  ])('k1 = %d, k2 = %d, resets: %s: the gradient of each window, by its definition', (k1, k2, withResets) =>
    expectNoLeak(() => {
      const { model, input, target } = make();
      const resets = withResets ? Array.from({ length: 18 }, (_, i) => i === 3 || i === 9 + 5) : undefined;
      const run = (from: number, to: number, state: tf.Tensor | undefined): ReturnType<Recurrence['call']> => {
        const marks = resets && [0, 1].flatMap(row => resets.slice(row * 9 + from, row * 9 + to));
        return model.call(part(input, from, to), { state, resets: marks });
      };
      const loss = (output: tf.Tensor, { lossStart, end }: Window): tf.Tensor =>
        mse({ prediction: output, target: part(target, lossStart, end) });

      for (const got of truncatedBptt({ model, parameters: parameters(model), input, resets, k1, k2, loss })) {
        const { start, lossStart, end } = got.window;
        // The state is computed from the very beginning, off the tape; the window in one piece.
        const entering = start === 0 ? undefined : tf.tidy(() => tf.clone(run(0, start, undefined).state));
        const want = valueAndGrad(parameters(model), () => {
          const { output } = run(start, end, entering);
          return { loss: loss(part(output, lossStart - start, end - start), got.window) };
        });
        expect(got.value.dataSync()[0]).toBeCloseTo(want.value.dataSync()[0]!, 6);
        const expected = want.gradients.get('weight')!.dataSync();
        got.gradients
          .get('weight')!
          .dataSync()
          .forEach((value, i) => {
            expect(value).toBeCloseTo(expected[i]!, 5);
          });
        entering?.dispose();
        tf.dispose([got.value, want.value, ...got.gradients.values(), ...want.gradients.values()]);
      }
      tf.dispose([input, target]);
      model.dispose();
    }),
  );

  it('inside fit, with the state carried by fit, is the same', () =>
    expectNoLeak(async () => {
      const sizes = { k1: 2, k2: 5 };
      const start = (): { model: Recurrence; optimizer: Optimizer } => {
        const model = new Recurrence();
        return { model, optimizer: new Optimizer(sgd({ learningRate: 0.5 }), parameters(model)) };
      };
      const [direct, looped] = [start(), start()];
      const { model, input, target } = make();
      model.dispose();
      const loss = (output: tf.Tensor, { lossStart, end }: Window): tf.Tensor =>
        mse({ prediction: output, target: part(target, lossStart, end) });

      const options = { model: direct.model, parameters: parameters(direct.model), input, ...sizes, loss };
      for (const { value, gradients } of truncatedBptt(options)) {
        direct.optimizer.apply(gradients);
        tf.dispose([value, ...gradients.values()]);
      }

      const events = fit<Window, tf.Tensor>({
        optimizer: looped.optimizer,
        batches: windows({ steps: 9, ...sizes }),
        steps: 99,
        loss: (window, { state }) =>
          windowLoss({
            model: looped.model,
            window,
            input: part(input, window.start, window.end),
            state,
            loss: output => loss(output, window),
          }),
      });
      let steps = 0;
      for await (const { event } of events) if (event === 'step') steps++;
      expect(steps).toBe(5);
      expect(looped.model.weight.dataSync()).toEqual(direct.model.weight.dataSync());
      for (const { model: one, optimizer } of [direct, looped]) {
        one.dispose();
        optimizer.dispose();
      }
      tf.dispose([input, target]);
    }));

  it('frees its state when it is left early', () =>
    expectNoLeak(() => {
      const { model, input, target } = make();
      const loss = (output: tf.Tensor): tf.Tensor => tf.sum(output);
      for (const { value, gradients } of truncatedBptt({
        model,
        parameters: parameters(model),
        input,
        k1: 2,
        k2: 2,
        loss,
      })) {
        tf.dispose([value, ...gradients.values()]);
        break;
      }
      tf.dispose([input, target]);
      model.dispose();
    }));

  it('checks the length of a window', () => {
    const { model, input, target } = make();
    const window = { start: 0, lossStart: 0, end: 4, nextStart: 4 };
    expect(() => windowLoss({ model, window, input, loss: output => tf.sum(output) })).toThrow(ShapeError);
    tf.dispose([input, target]);
    model.dispose();
  });
});

describe('gradientThroughTime', () => {
  it('is the product of Jacobians of a linear recurrence', () =>
    expectNoLeak(async () => {
      // hₜ = W hₜ₋₁ + xₜ and L = Σ h_T: dL/dhₜ = (Wᵀ)^(T−t) 1, of norm √(B·H)·0.5^(T−t) for W = ½ I.
      const half = tf.tidy(() => tf.mul(0.5, tf.eye(3))) as tf.Tensor2D;
      const cell: Cell<{ hidden: tf.Tensor }> = {
        inputSize: 3,
        outputSize: 3,
        initialState: batch => ({ hidden: tf.zeros([batch, 3]) }),
        step: (x, { hidden }) => {
          const next = tf.add(x, tf.matMul(hidden as tf.Tensor2D, half));
          return { output: tf.clone(next), state: { hidden: next } };
        },
      };
      const input = tf.ones([2, 6, 3]);
      const { norms, loss } = await gradientThroughTime({ cell, input, loss: (_, { hidden }) => tf.sum(hidden) });
      expect(loss).toBeCloseTo(6 * (2 - 0.5 ** 5), 4);
      const want = Array.from({ length: 7 }, (_, t) => Math.sqrt(6) * 0.5 ** (6 - t));
      norms.get('hidden')!.forEach((norm, t) => {
        expect(norm).toBeCloseTo(want[t]!, 5);
      });
      tf.dispose([half, input]);
    }));

  it('takes any cell, a state that is one tensor, and a start', () =>
    expectNoLeak(async () => {
      const model = new Recurrence();
      const input = new Rng(1).normal([2, 1, 3]);
      const state = tf.zeros([2, 3]);
      const { norms } = await gradientThroughTime({ cell: model, input, state, loss: outputs => tf.sum(outputs) });
      expect([...norms.keys()]).toEqual(['state']);
      expect(norms.get('state')!.length).toBe(2);
      // The only output was taken before the last state was marked.
      expect(norms.get('state')![1]).toBe(0);
      expect(norms.get('state')![0]).toBeGreaterThan(0);
      await expect(
        gradientThroughTime({ cell: model, input: state, loss: outputs => tf.sum(outputs) }),
      ).rejects.toThrow(ShapeError);
      disposeState(state);
      input.dispose();
      model.dispose();
    }));

  it('gives the norm of each gradient, or of groups', () =>
    expectNoLeak(async () => {
      const gradients = new Map<string, tf.Tensor>([
        ['cell.a', tf.tensor1d([3, 0])],
        ['cell.b', tf.tensor2d([[4]])],
        ['head', tf.tensor1d([-2])],
      ]);
      expect(await gradientNorms(gradients)).toEqual(
        new Map([
          ['cell.a', 3],
          ['cell.b', 4],
          ['head', 2],
        ]),
      );
      expect(await gradientNorms(gradients, { by: path => path.split('.')[0]! })).toEqual(
        new Map([
          ['cell', 5],
          ['head', 2],
        ]),
      );
      expect(await gradientNorms(new Map())).toEqual(new Map());
      tf.dispose([...gradients.values()]);
    }));
});
