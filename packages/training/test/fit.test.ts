import { ArgumentError, dropout, FormatError, Linear, parameters, Rng, ShapeError, type State } from '@ostinato/core';
import { expectNoLeak } from '@ostinato/testing';
import {
  accumulate,
  adam,
  adamw,
  type Batches,
  type Checkpoint,
  captureCheckpoint,
  chain,
  clipByGlobalNorm,
  constant,
  cosine,
  decodeCheckpoint,
  encodeCheckpoint,
  type FitEvent,
  type FitOptions,
  fit,
  type GradientTransform,
  mse,
  Optimizer,
  Plateau,
  type StepContext,
  sgd,
  WeightAverage,
} from '@ostinato/training';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';

type Batch = Float32Array;
type Carry = { readonly sum: tf.Tensor };

/** Batches of four rows of three numbers; epochs of `perEpoch`. */
class Source implements Batches<Batch> {
  #position = 0;
  readonly perEpoch: number;

  constructor(perEpoch = 3) {
    this.perEpoch = perEpoch;
  }

  next(): IteratorResult<Batch, undefined> {
    const epoch = Math.floor(this.#position / (this.perEpoch + 1));
    const index = this.#position++ % (this.perEpoch + 1);
    if (index === this.perEpoch) return { done: true, value: undefined };
    const rng = new Rng(epoch).split(index);
    return { done: false, value: Float32Array.from({ length: 12 }, () => rng.next()) };
  }

  state(): number {
    return this.#position;
  }

  restore(state: number): void {
    if (!Number.isInteger(state)) throw new FormatError({ where: 'Source.restore', rule: 'state must be an integer' });
    this.#position = state;
  }
}

/** A run on a small problem: learn y = 2·Σx, with dropout and a carried state that enters the loss. */
class Run {
  readonly model = new Linear({ inputSize: 3, outputSize: 1, rng: new Rng(3) });
  readonly optimizer: Optimizer;
  readonly average: WeightAverage;
  readonly saved: Checkpoint[] = [];

  constructor(
    transform: GradientTransform = chain(
      clipByGlobalNorm(1),
      adamw({ learningRate: cosine({ rate: 0.1, steps: 12 }) }),
    ),
  ) {
    this.optimizer = new Optimizer(transform, parameters(this.model));
    this.average = new WeightAverage(parameters(this.model), { decay: 0.8 });
  }

  readonly loss = (
    batch: Batch,
    { rng, state }: StepContext<Carry>,
  ): { loss: tf.Tensor; state: Carry; tokens: number } => {
    const input = tf.tensor2d(batch, [4, 3]);
    const target = tf.mul(2, tf.sum(input, 1, true));
    const noisy = dropout(input, { rate: 0.3, key: rng.key });
    const prediction = this.model.call(noisy);
    const carried = state ? tf.mul(state.sum, 0.5) : tf.scalar(0);
    const sum = tf.add(carried, tf.mean(prediction));
    return { loss: tf.add(mse({ prediction, target }), tf.mul(0.1, tf.square(sum))), state: { sum }, tokens: 12 };
  };

  options(more: Partial<FitOptions<Batch, Carry>> = {}): FitOptions<Batch, Carry> {
    return {
      optimizer: this.optimizer,
      loss: this.loss,
      batches: new Source(),
      steps: 12,
      seed: 5,
      average: this.average,
      checkpoint: { every: 100, save: checkpoint => void this.saved.push(checkpoint), config: { size: 3 } },
      ...more,
    };
  }

  async collect(more: Partial<FitOptions<Batch, Carry>> = {}): Promise<FitEvent[]> {
    const events: FitEvent[] = [];
    for await (const event of fit(this.options(more))) events.push(event);
    return events;
  }

  dispose(): void {
    for (const one of [this.model, this.optimizer, this.average]) one.dispose();
  }
}

/** Runs `body` with a fresh run, and checks that nothing leaks. */
const withRun = (body: (run: Run) => Promise<void>, make = () => new Run()) =>
  expectNoLeak(async () => {
    const run = make();
    await body(run);
    run.dispose();
  });

const kinds = (events: readonly FitEvent[]): string =>
  events.map(event => (event.event === 'stopped' ? event.reason : `${event.event}${event.step}`)).join(' ');
const losses = (events: readonly FitEvent[]): number[] =>
  events.flatMap(event => (event.event === 'step' ? [event.loss] : []));

describe('fit', () => {
  it('reports typed events in order', () =>
    withRun(async run => {
      const events = await run.collect({
        steps: 5,
        logEvery: 2,
        validate: { every: 3, run: ({ step }) => ({ error: 1 / step }) },
        checkpoint: { every: 4, save: async () => undefined },
      });
      expect(kinds(events)).toBe('start0 step2 validation3 step4 checkpoint4 step5 validation5 checkpoint5 steps');
      const step = events.find(event => event.event === 'step')!;
      expect(step).toMatchObject({ step: 2, learningRate: cosine({ rate: 0.1, steps: 12 })(1) });
      for (const field of ['loss', 'gradientNorm', 'updateNorm', 'stepsPerSecond', 'tokensPerSecond', 'secondsLeft']) {
        expect(step, field).toHaveProperty(field, expect.any(Number));
      }
      expect(events.find(event => event.event === 'validation')).toEqual({
        event: 'validation',
        step: 3,
        metrics: { error: 1 / 3 },
        best: null,
      });
    }));

  it('learns', () =>
    withRun(
      async run => {
        const clean = (batch: Batch): { loss: tf.Tensor } => {
          const input = tf.tensor2d(batch, [4, 3]);
          return { loss: mse({ prediction: run.model.call(input), target: tf.mul(2, tf.sum(input, 1, true)) }) };
        };
        const events = await run.collect({ steps: 800, logEvery: 800, loss: clean });
        expect(losses(events).at(-1)).toBeLessThan(1e-4);
      },
      () => new Run(adam({ learningRate: 0.05 })),
    ));

  it('resumes to the bit, at every step, through the bytes of a checkpoint', () =>
    withRun(async whole => {
      const all = losses(await whole.collect());
      const final = encodeCheckpoint(whole.saved.at(-1)!);
      for (const cut of [1, 3, 4, 7, 11]) {
        const first = new Run();
        const begun = losses(await first.collect({ steps: cut }));
        const resume = decodeCheckpoint(encodeCheckpoint(first.saved.at(-1)!));
        expect(resume).toMatchObject({ step: cut, config: { size: 3 } });

        const second = new Run();
        const events = await second.collect({ resume, seed: 999 });
        expect(events[0]).toEqual({ event: 'start', step: cut, steps: 12 });
        expect([...begun, ...losses(events)], `cut at ${cut}`).toEqual(all);
        expect(Buffer.compare(encodeCheckpoint(second.saved.at(-1)!), final), `cut at ${cut}`).toBe(0);
        first.dispose();
        second.dispose();
      }
    }));

  it('takes a first state over', () =>
    withRun(async run => {
      const state = { sum: tf.scalar(8) };
      const [first] = losses(await run.collect({ steps: 1, state }));
      expect(state.sum.isDisposed).toBe(true);
      expect(first).toBeGreaterThan(1);
    }));

  it('carries a state that the loss passes on unchanged', () =>
    withRun(async run => {
      const state: Carry = { sum: tf.scalar(8) };
      const loss = (batch: Batch, context: StepContext<Carry>) => ({
        ...run.loss(batch, context),
        state: context.state,
      });
      await run.collect({ steps: 3, state, loss });
      expect(state.sum.isDisposed).toBe(true);
    }));

  it('stops between two steps when aborted, with a checkpoint', () =>
    withRun(async run => {
      const controller = new AbortController();
      const events: FitEvent[] = [];
      for await (const event of fit(run.options({ signal: controller.signal }))) {
        events.push(event);
        if (event.event === 'step' && event.step === 3) controller.abort();
      }
      expect(kinds(events)).toBe('start0 step1 step2 step3 checkpoint3 aborted');
      expect(run.saved[0]!.step).toBe(3);
    }));

  it('saves when a validation is broken off, and goes on with it', () =>
    withRun(async run => {
      const controller = new AbortController();
      const validate = {
        every: 3,
        run: async (): Promise<{ score: number }> => {
          controller.signal.throwIfAborted();
          if (!controller.signal.aborted) controller.abort(new Error('enough'));
          throw controller.signal.reason;
        },
      };
      const first = await run.collect({ steps: 6, validate, signal: controller.signal });
      expect(kinds(first)).toBe('start0 step1 step2 step3 checkpoint3 aborted');
      const kept = { every: 3, run: async () => ({ score: 1 }) };
      const events = await run.collect({ steps: 6, validate: kept, resume: run.saved.at(-1)! });
      expect(kinds(events).replaceAll(/ checkpoint\d/g, '')).toBe(
        'start3 validation3 step4 step5 step6 validation6 steps',
      );
      const fails = { every: 1, run: () => Promise.reject(new Error('of its own')) };
      await expect(run.collect({ steps: 6, validate: fails })).rejects.toThrow('of its own');
    }));

  it('lets timers run, so that a timer can abort it', () =>
    withRun(async run => {
      setTimeout(() => controller.abort(), 60);
      const controller = new AbortController();
      const events = await run.collect({ steps: 1e6, logEvery: 1e6, signal: controller.signal });
      expect(events.at(-1)).toMatchObject({ reason: 'aborted' });
    }));

  it('frees everything when its caller leaves the loop, or throws', () =>
    withRun(async run => {
      for await (const event of fit(run.options())) if (event.event === 'step') break;
      const fails = async (): Promise<void> => {
        for await (const event of fit(run.options())) if (event.event === 'step') throw new Error('no');
      };
      await expect(fails()).rejects.toThrow('no');
      const loss = (batch: Batch, context: StepContext<Carry>): never => {
        run.loss(batch, context);
        throw new Error('broken loss');
      };
      await expect(run.collect({ loss })).rejects.toThrow('broken loss');
      const nan = new Run(sgd({ learningRate: step => (step < 2 ? 0.1 : Number.NaN) }));
      await expect(nan.collect()).rejects.toThrow('learningRate must be a finite number');
      nan.dispose();
    }));

  it('stops early, and counts across a resumption', () =>
    withRun(async run => {
      const scores = [5, 4, 4.05, 3.95, 4.5, 4, 4, 4, 4, 4, 4, 4];
      const validate = { every: 1, run: ({ step }: { step: number }) => ({ score: scores[step - 1]! }) };
      const earlyStopping = { metric: 'score', patience: 3, minDelta: 0.1 };
      const events = await run.collect({ validate, earlyStopping });
      expect(events.at(-1)).toMatchObject({ reason: 'early', step: 5 });
      expect(events.flatMap(event => (event.event === 'validation' ? [event.best] : []))).toEqual([
        true,
        true,
        false,
        false,
        false,
      ]);
      const first = new Run();
      await first.collect({ validate, earlyStopping, steps: 4 });
      const second = new Run();
      const rest = await second.collect({ validate, earlyStopping, resume: first.saved.at(-1)! });
      expect(rest.at(-1)).toMatchObject({ reason: 'early', step: 5 });
      first.dispose();
      second.dispose();
    }));

  it('remembers an infinite best value across a resumption', () =>
    withRun(async run => {
      const validate = { every: 1, run: ({ step }: { step: number }) => ({ score: step === 1 ? -Infinity : 1 }) };
      const earlyStopping = { metric: 'score', patience: 9 };
      await run.collect({ validate, earlyStopping, steps: 1 });
      const resume = decodeCheckpoint(encodeCheckpoint(run.saved.at(-1)!));
      const second = new Run();
      const events = await second.collect({ validate, earlyStopping, steps: 2, resume });
      expect(events.find(event => event.event === 'validation')).toMatchObject({ step: 2, best: false });
      second.dispose();
    }));

  it('averages the weights once an update, also when gradients are accumulated', () =>
    withRun(
      async run => {
        const before = run.average.state().get('weight')!.dataSync();
        await run.collect({ steps: 3 });
        const after = run.model.weight.dataSync();
        const got = run.average.state().get('weight')!.dataSync();
        // One update in three steps: 0.8 a + 0.2 θ, once.
        for (const [i, a] of before.entries()) expect(got[i]).toBeCloseTo(0.8 * a + 0.2 * after[i]!, 6);
        expect(after).not.toEqual(before);
        await run.collect({ steps: 2 });
        expect(run.average.state().get('weight')!.dataSync()).toEqual(got);
      },
      () => new Run(accumulate(3, sgd({ learningRate: 0.1 }))),
    ));

  it('lowers the rate on a plateau, and goes on from there', () =>
    withRun(async reference => {
      const validate = { every: 1, run: () => ({ score: 1 }) };
      const ratesOf = async (steps: number, resume?: Checkpoint): Promise<[number[], Checkpoint]> => {
        const schedule = new Plateau({ rate: 0.4, factor: 0.5, patience: 1 });
        const run = new Run(sgd({ learningRate: schedule.schedule }));
        const plateau = { schedule, metric: 'score' };
        const events = await run.collect({ validate, plateau, steps, ...(resume ? { resume } : {}) });
        run.dispose();
        return [events.flatMap(event => (event.event === 'step' ? [event.learningRate!] : [])), run.saved.at(-1)!];
      };
      const [whole] = await ratesOf(7);
      expect(whole).toEqual([0.4, 0.4, 0.4, 0.2, 0.2, 0.1, 0.1]);
      const [first, checkpoint] = await ratesOf(4);
      const [rest] = await ratesOf(7, checkpoint);
      expect([...first, ...rest]).toEqual(whole);
      await reference.collect({ steps: 1 });
    }));

  it('goes on from a checkpoint that was captured by hand, without progress', () =>
    withRun(async run => {
      const batches = new Source();
      const validate = { every: 1, run: () => ({ error: 1 }) };
      await run.collect({ steps: 1, batches });
      const resume = await captureCheckpoint({
        step: 1,
        optimizer: run.optimizer,
        average: run.average,
        cursor: batches.state(),
      });
      expect(resume.progress).toBeNull();
      const events = await run.collect({ resume, validate, earlyStopping: { metric: 'error', patience: 2 } });
      expect(kinds(events)).toBe('start1 step2 validation2 step3 validation3 step4 validation4 checkpoint4 early');
    }));

  it('updates the average after every step', () =>
    withRun(async run => {
      const before = [...run.model.weight.dataSync()];
      await run.collect({ steps: 1 });
      const after = [...run.model.weight.dataSync()];
      expect(after).not.toEqual(before);
      const average = run.average.state().get('weight')!.dataSync();
      after.forEach((value, i) => {
        expect(average[i]).toBeCloseTo(0.8 * before[i]! + 0.2 * value, 6);
      });
    }));

  it('leaves a plateau as it was when the batches refuse to go on', () =>
    withRun(async run => {
      const options = { rate: 0.1, patience: 0 };
      const validate = { every: 1, run: () => ({ error: 1 }) };
      await run.collect({ steps: 3, validate, plateau: { metric: 'error', schedule: new Plateau(options) } });
      const resume = { ...run.saved.at(-1)!, cursor: 'x' };
      const schedule = new Plateau(options);
      const before = schedule.state();
      await expect(run.collect({ resume, validate, plateau: { metric: 'error', schedule } })).rejects.toThrow(
        'state must be an integer',
      );
      expect(schedule.state()).toEqual(before);
    }));

  it('stops when there are no more batches', () =>
    withRun(async run => {
      const two = [new Float32Array(12), new Float32Array(12)];
      const events = await run.collect({ batches: two.values() });
      expect(events.at(-1)).toMatchObject({ reason: 'exhausted', step: 2 });
    }));

  it('does nothing when all steps are done', () =>
    withRun(async run => {
      expect(kinds(await run.collect({ steps: 0 }))).toBe('start0 steps');
    }));
});

describe('a step that is not finite', () => {
  type Loss = FitOptions<Batch, Carry>['loss'];
  const cases: Record<string, [nonFinite: object, loss: (run: Run) => Loss]> = {
    'of the loss': [
      { kind: 'loss', path: '' },
      run => (batch, context) => {
        const { loss, state } = run.loss(batch, context);
        return { loss: context.step === 2 ? tf.mul(loss, Number.NaN) : loss, state };
      },
    ],
    'of a gradient': [
      { kind: 'gradient', path: 'bias' },
      run => (batch, context) => {
        const { loss, state } = run.loss(batch, context);
        // √(b − b) is 0; its gradient is infinite.
        const trap = tf.sum(tf.sqrt(tf.sub(run.model.bias!, run.model.bias!.clone().arraySync() as number[])));
        return { loss: context.step === 2 ? tf.add(loss, trap) : loss, state };
      },
    ],
    'of the norm alone': [
      { kind: 'norm', path: '' },
      run => (batch, context) => {
        const { loss, state } = run.loss(batch, context);
        return { loss: context.step === 2 ? tf.mul(loss, 1e30) : loss, state };
      },
    ],
  };

  it.each(Object.entries(cases))('%s: is named and not made', (_, [nonFinite, lossOf]) =>
    withRun(async run => {
      const events = await run.collect({ loss: lossOf(run) });
      expect(kinds(events)).toBe('start0 step1 step2 checkpoint2 non-finite');
      expect(events.at(-1)).toEqual({ event: 'stopped', step: 2, reason: 'non-finite', nonFinite });

      const good = new Run();
      await good.collect({ steps: 2, loss: lossOf(good) });
      expect(encodeCheckpoint(run.saved.at(-1)!)).toEqual(encodeCheckpoint(good.saved.at(-1)!));
      good.dispose();
    }),
  );

  it('of the update', () =>
    withRun(
      async run => {
        const events = await run.collect();
        expect(events.at(-1)).toMatchObject({
          reason: 'non-finite',
          nonFinite: { kind: 'update', path: 'weight' },
          step: 0,
        });
        expect([...run.model.weight.dataSync()].every(Number.isFinite)).toBe(true);
      },
      () => new Run(chain(sgd({ learningRate: 1e30 }), sgd({ learningRate: 1e30 }))),
    ));

  it('of a parameter, also a frozen one', () =>
    withRun(async run => {
      const frozen = tf.tidy(() => tf.variable(tf.tensor1d([1, Infinity])));
      const all = new Map([...parameters(run.model), ['frozen', frozen]]);
      const loss: Loss = (batch, context) => ({ loss: tf.mul(run.loss(batch, context).loss, tf.sum(frozen)) });
      const events = await run.collect({ parameters: all, loss });
      expect(events.at(-1)).toMatchObject({ nonFinite: { kind: 'parameter', path: 'frozen' } });
      frozen.dispose();
    }));
});

describe('bad input', () => {
  it('is refused before anything changes', () =>
    withRun(async run => {
      const other = new Run(adam({ learningRate: 0.1 }));
      await other.collect({ steps: 2 });
      const resume = other.saved.at(-1)!;
      const before = [...run.model.weight.dataSync()];
      await expect(run.collect({ resume })).rejects.toThrow(FormatError);
      const wide = {
        ...resume,
        parameters: new Map([...resume.parameters].map(([k, t]) => [k, { ...t, shape: [9] }])),
      };
      await expect(run.collect({ resume: wide })).rejects.toThrow(ShapeError);
      expect([...run.model.weight.dataSync()]).toEqual(before);
      expect(run.optimizer.step).toBe(0);

      await expect(other.collect({ resume: { ...resume, average: null } })).rejects.toThrow('must have averages');
      await expect(other.collect({ resume: { ...resume, cursor: 'x' } })).rejects.toThrow('state must be an integer');
      await expect(other.collect({ resume: { ...resume, progress: 7 } })).rejects.toThrow('progress must be');
      await expect(other.collect({ resume, batches: [new Float32Array(12)].values() })).rejects.toThrow(
        'must have restore()',
      );
      await expect(other.collect({ resume: { ...resume, cursor: null } })).rejects.toThrow(
        'Give captureCheckpoint { cursor: batches.state() }',
      );
      other.dispose();
    }));

  it.each<Partial<FitOptions<Batch, Carry>>>([
    { steps: -1 },
    { logEvery: 0 },
    { seed: -1 },
    { batches: [1, 2] as unknown as Source },
    { batches: undefined as unknown as Source },
    { loss: (() => tf.scalar(1)) as never },
    { loss: (async () => ({ loss: tf.scalar(1) })) as never },
    { validate: { every: 0, run: () => ({}) } },
    { earlyStopping: { metric: 'x', patience: 1 } },
    { validate: { every: 1, run: () => ({ y: 1 }) }, earlyStopping: { metric: 'x', patience: 1 } },
    { validate: { every: 1, run: () => ({}) }, earlyStopping: { metric: 'x', patience: 0 } },
    {
      validate: { every: 1, run: () => ({ x: 1 }) },
      earlyStopping: { metric: 'x', patience: 1, mode: 'MIN' as 'min' },
    },
    { validate: { every: 1, run: () => ({}) }, plateau: { metric: 'x', schedule: new Plateau({ rate: 1 }) } },
  ])('%j', options =>
    withRun(async run => {
      await expect(run.collect(options)).rejects.toThrow(ArgumentError);
    }),
  );
});

it('types any state', () => {
  const nested: FitOptions<number, readonly { hidden: tf.Tensor }[]>['state'] = undefined;
  const withoutSome: Pick<FitOptions<number, State>, 'validate' | 'checkpoint'> = {
    validate: undefined,
    checkpoint: undefined,
  };
  expect(Object.keys(withoutSome)).toHaveLength(2);
  const nameOf = (event: FitEvent): string =>
    event.event === 'stopped' && event.reason === 'non-finite' ? event.nonFinite.path : '';
  expect(nameOf({ event: 'stopped', step: 1, reason: 'steps' })).toBe('');
  const whatever: State | undefined = nested;
  expect(whatever).toBeUndefined();
  expect(constant(1)(0)).toBe(1);
});
