import {
  ArgumentError,
  checkNumber,
  disposeState,
  type Parameters,
  Rng,
  type State,
  yieldToEvents,
} from '@ostinato/core';
import {
  type Checkpoint,
  captureCheckpoint,
  checkCheckpoint,
  type Json,
  restoreCheckpoint,
  restoreState,
} from './checkpoint.ts';
import type { WeightAverage } from './ema.ts';
import type { FitEvent, StoppedEvent } from './fit-events.ts';
import { replaceState, type StepContext, type StepLoss, tryStep } from './fit-step.ts';
import type { Optimizer } from './optimizer.ts';
import { type EarlyStopping, type PlateauObserver, Progress } from './progress.ts';

/**
 * Where batches come from, e.g. the sources of `@ostinato/data`. `done` is the end of an epoch: `fit` asks again, and stops
 * when the answer is `done` twice in a row. Batches stay the source's; make tensors of their arrays inside `loss`.
 */
export interface Batches<Batch> {
  next(): IteratorResult<Batch, unknown> | Promise<IteratorResult<Batch, unknown>>;
  /** Where it stands, as plain JSON data. Needed to resume. */
  state?(): unknown;
  /** Goes on from `state`; throws, before it changes, when it cannot. */
  restore?(state: never): void;
}

/** Options of `fit`. */
export interface FitOptions<Batch, Carry extends State> {
  /** Holds what is trained. */
  readonly optimizer: Optimizer;
  /** Pure in (parameters, batch, context). Runs on a tape, in a tidy. */
  readonly loss: (batch: Batch, context: StepContext<Carry>) => StepLoss<Carry>;
  readonly batches: Batches<Batch>;
  /** Steps in all, those before a resumption included. */
  readonly steps: number;
  /** All parameters of the model, also those that are not trained: what checkpoints hold. Default: the optimizer's. */
  readonly parameters?: Parameters | undefined;
  /** Default 0. */
  readonly seed?: number | undefined;
  /** Recurrent state before the first step; `fit` takes it over. */
  readonly state?: Carry | undefined;
  /** A `step` event comes every so many steps, and for the last one. Default 1. */
  readonly logEvery?: number | undefined;
  /** Runs every so many steps, and after the last one. */
  readonly validate?:
    | {
        readonly every: number;
        readonly run: (context: { readonly step: number }) => Record<string, number> | Promise<Record<string, number>>;
      }
    | undefined;
  readonly earlyStopping?: EarlyStopping | undefined;
  readonly plateau?: PlateauObserver | undefined;
  /** Updated after every step that updates parameters; `accumulate` leaves steps out. */
  readonly average?: WeightAverage | undefined;
  /** Saved every so many steps, and where the run stops. */
  readonly checkpoint?:
    | {
        readonly every: number;
        readonly save: (checkpoint: Checkpoint) => void | Promise<void>;
        /** Stored with it: hyper-parameters, vocabulary. */
        readonly config?: Json | undefined;
      }
    | undefined;
  /** Where to go on; everything in it is checked before anything changes. */
  readonly resume?: Checkpoint | undefined;
  /** Stops the run between two steps. */
  readonly signal?: AbortSignal | undefined;
}

/** Why a run stops: the parts of each kind of `StoppedEvent` that it adds. */
type Ending<Event = StoppedEvent> = Event extends StoppedEvent ? Omit<Event, 'event' | 'step'> : never;

/**
 * Trains, step by step, as its caller asks for events:
 * loss and gradients → are they finite? → update → events → next batch.
 *
 * A step whose loss, gradients or update are not finite is not made: the run stops, names the first such tensor, and the
 * parameters, the optimizer and the carried state are as they were. Each step's random numbers come from `seed` and the step
 * alone, so a resumed run is the same, to the bit, as one that was never interrupted. Each step reads three numbers back from
 * the device.
 *
 * Leaving the loop (`break`, or an error in it) ends the run and frees what it holds, without a last checkpoint.
 *
 * @throws ArgumentError when an option does not fit; FormatError or ShapeError when `resume` is of another model
 */
export async function* fit<Batch, Carry extends State = State>(
  options: FitOptions<Batch, Carry>,
): AsyncGenerator<FitEvent, void> {
  const { optimizer, batches, steps, logEvery = 1, validate, checkpoint, average, resume, signal } = options;
  checkOptions(options);
  const progress = new Progress(options.earlyStopping, options.plateau);
  const parameters = options.parameters ?? optimizer.parameters;
  const rng = resume ? Rng.fromState(resume.rng) : new Rng(options.seed ?? 0);
  let carry = options.state;
  let step = 0;
  if (resume) {
    checkResume(resume, options);
    checkCheckpoint(resume, { optimizer, parameters, average });
    const before = progress.state();
    progress.restore(resume.progress);
    try {
      if (resume.cursor !== null) batches.restore!(resume.cursor as never);
    } catch (error) {
      progress.restore(before);
      throw error;
    }
    restoreCheckpoint(resume, { optimizer, parameters, average });
    if (carry) disposeState(carry);
    carry = resume.state ? restoreState<Carry>(resume.state) : undefined;
    step = resume.step;
    progress.due &&= validate !== undefined;
  }

  const started = { time: performance.now(), step };
  let logged = { time: started.time, step, tokens: 0 as number | null };
  let savedStep = step;
  let cursor = batches.state?.() as Json | undefined;

  async function* save(): AsyncGenerator<FitEvent, void> {
    if (!checkpoint || savedStep === step) return;
    await checkpoint.save(
      await captureCheckpoint({
        step,
        optimizer,
        parameters,
        average,
        state: carry,
        rng,
        cursor,
        progress: progress.state(),
        config: checkpoint.config,
      }),
    );
    savedStep = step;
    yield { event: 'checkpoint', step };
  }

  async function* stop(ending: Ending): AsyncGenerator<FitEvent, void> {
    yield* save();
    yield { event: 'stopped', step, ...ending };
  }

  /** Metrics of the model as it is; undefined when the signal broke them off: a run that goes on then begins with them. */
  async function validated(): Promise<Readonly<Record<string, number>> | undefined> {
    try {
      const metrics = await validate!.run({ step });
      progress.due = false;
      return metrics;
    } catch (error) {
      if (signal?.aborted) return undefined;
      throw error;
    }
  }

  try {
    yield { event: 'start', step, steps };
    while (step < steps || progress.due) {
      if (signal?.aborted) return yield* stop({ reason: 'aborted' });
      if (progress.due) {
        const metrics = await validated();
        if (!metrics) return yield* stop({ reason: 'aborted' });
        const { best, stop: enough } = progress.observe(metrics);
        yield { event: 'validation', step, metrics, best };
        if (enough) return yield* stop({ reason: 'early' });
        if (checkpoint && step % checkpoint.every === 0) yield* save();
        continue;
      }
      const batch = await nextBatch(batches);
      if (batch.done) return yield* stop({ reason: 'exhausted' });

      const result = await tryStep({
        optimizer,
        parameters,
        loss: context => options.loss(batch.value, context),
        context: { step, rng: rng.split(step), state: carry },
      });
      if ('nonFinite' in result) return yield* stop({ reason: 'non-finite', nonFinite: result.nonFinite });
      const learningRate = optimizer.learningRate ?? null;
      result.commit();
      if (result.updates) average?.update();
      replaceState(carry, result.state);
      carry = result.state;
      cursor = batches.state?.() as Json | undefined;
      step++;

      const { loss, gradientNorm, updateNorm, tokens } = result;
      logged.tokens = tokens === undefined || logged.tokens === null ? null : logged.tokens + tokens;
      if (step % logEvery === 0 || step === steps) {
        const time = performance.now();
        const seconds = Math.max((time - logged.time) / 1000, 1e-9);
        yield {
          event: 'step',
          step,
          loss,
          gradientNorm,
          updateNorm,
          learningRate,
          stepsPerSecond: (step - logged.step) / seconds,
          tokensPerSecond: logged.tokens === null ? null : logged.tokens / seconds,
          secondsLeft: ((time - started.time) / 1000 / (step - started.step)) * (steps - step),
        };
        logged = { time: performance.now(), step, tokens: 0 };
      }
      progress.due = validate !== undefined && (step % validate.every === 0 || step === steps);
      if (!progress.due && checkpoint && step % checkpoint.every === 0) yield* save();
      await yieldToEvents();
    }
    yield* stop({ reason: 'steps' });
  } finally {
    if (carry) disposeState(carry);
  }
}

function checkOptions<Batch, Carry extends State>(options: FitOptions<Batch, Carry>): void {
  const { batches, steps, logEvery = 1, validate, checkpoint, earlyStopping, plateau } = options;
  if (typeof batches?.next !== 'function') {
    throw new ArgumentError({
      where: 'fit',
      rule: 'batches must have next()',
      got: Array.isArray(batches) ? 'an array' : typeof batches,
      advice: 'Give a source of @ostinato/data, a generator, or `array.values()`.',
    });
  }
  checkNumber('fit', 'steps', steps, { integer: true, min: 0 });
  checkNumber('fit', 'logEvery', logEvery, { integer: true, min: 1 });
  if (validate) checkNumber('fit', 'validate.every', validate.every, { integer: true, min: 1 });
  if (checkpoint) checkNumber('fit', 'checkpoint.every', checkpoint.every, { integer: true, min: 1 });
  if ((earlyStopping || plateau) && !validate) {
    throw new ArgumentError({ where: 'fit', rule: 'earlyStopping and plateau need validate', got: 'none' });
  }
}

function checkResume<Batch, Carry extends State>(resume: Checkpoint, { batches }: FitOptions<Batch, Carry>): void {
  if (resume.cursor !== null && !batches.restore) {
    throw new ArgumentError({
      where: 'fit',
      rule: 'the checkpoint says where the data goes on, so batches must have restore()',
      got: 'none',
    });
  }
  if (resume.cursor === null && batches.restore) {
    throw new ArgumentError({
      where: 'fit',
      rule: 'the checkpoint must say where the data goes on, since batches has restore()',
      got: 'cursor null',
      advice: 'Give captureCheckpoint { cursor: batches.state() }, or resume with batches without restore().',
    });
  }
}

/** The next batch, of the next epoch where one has ended. */
async function nextBatch<Batch>(batches: Batches<Batch>): Promise<IteratorResult<Batch, unknown>> {
  const batch = await batches.next();
  return batch.done ? await batches.next() : batch;
}
