import { ArgumentError, checkChoice, checkNumber, parameters } from '@ostinato/core';
import { ContiguousStreams, RandomWindows, SequentialWindows, type WindowBatch } from '@ostinato/data';
import {
  type Checkpoint,
  type FitEvent,
  fit,
  type GradientTransform,
  type Json,
  Optimizer,
  type StepContext,
} from '@ostinato/training';
import { defaultTransform } from '../shared/default-transform.ts';
import { evaluate } from './evaluate.ts';
import type { LanguageModelDescription } from './saved.ts';
import type { AnyLanguageModel } from './transformer.ts';
import { type Carry, chunkedLoss, overlappingLoss } from './window-loss.ts';

/** How a language model is trained: plain JSON. */
export interface LanguageModelTrainingOptions {
  readonly steps: number;
  /** Rows B. Default 32. */
  readonly batchSize?: number | undefined;
  /** Tokens T that a step reads in every row. Default 100, of a GPT its contextLength. */
  readonly windowLength?: number | undefined;
  /**
   * `windows`: from anywhere in the text, each from a zero state. `blocks`: likewise, but every block of windowLength tokens once an
   * epoch, shuffled. `streams`: the text as B streams, read one window after another, with the state carried over and set to zero where
   * a document begins; not for a GPT. Default 'windows'.
   */
  readonly batches?: 'windows' | 'blocks' | 'streams' | undefined;
  /**
   * How many tokens gradients flow back (k2 of truncated back-propagation; k1 is `windowLength`). More than `windowLength`
   * needs streams. Default `windowLength`.
   */
  readonly bptt?: number | undefined;
  /** Of Adam. Default 5e-3. */
  readonly learningRate?: number | undefined;
  /** `cosine` falls to `finalRate` · `learningRate` at the last step. Default 'constant'. */
  readonly schedule?: 'constant' | 'cosine' | undefined;
  /** Default 1/20. */
  readonly finalRate?: number | undefined;
  /** Steps in which the learning rate rises to its full height, before its schedule begins. Default 0. */
  readonly warmup?: number | undefined;
  /** Of Adam. Default 0.999. */
  readonly beta2?: number | undefined;
  /** Decay of matrices, decoupled: λ of AdamW. Default 0. */
  readonly weightDecay?: number | undefined;
  /** Largest global norm of the gradient; 0 does not clip. Default 1. */
  readonly clipNorm?: number | undefined;
  /** Of windows and dropout. Default 0. */
  readonly seed?: number | undefined;
}

/** Options of `trainLanguageModel`. */
export interface TrainLanguageModelOptions extends LanguageModelTrainingOptions {
  readonly model: AnyLanguageModel;
  /** Token ids of the training text. */
  readonly tokens: Int32Array;
  /** Where each document begins in `tokens`; only streams look at it. Default: the text is one document. */
  readonly documentStarts?: Int32Array | undefined;
  /** Token ids of held-out text; fewer than 2 are as good as none. */
  readonly validation?: Int32Array | undefined;
  /** Steps between measurements of the validation loss. Default 100. */
  readonly validateEvery?: number | undefined;
  /** Where and how often the run is saved. Default: it is not. */
  readonly checkpoint?:
    | { readonly every: number; readonly save: (checkpoint: Checkpoint) => void | Promise<void> }
    | undefined;
  /** Saved with every checkpoint, so that its file alone is a model: see `describeLanguageModel`. */
  readonly description?: LanguageModelDescription | undefined;
  /** Where to go on, to the bit; the other options must be those of the run. */
  readonly resume?: Checkpoint | null | undefined;
  /** Stops the run between two steps, after a last checkpoint. */
  readonly signal?: AbortSignal | undefined;
  /** In place of clipping, Adam and its schedule. */
  readonly transform?: GradientTransform | undefined;
}

const where = 'trainLanguageModel';

/**
 * Trains a language model, step by step, as its caller asks for events: see `fit` of `@ostinato/training`. Validation events
 * have the metric `validationLoss`, in nats per token; they do not choose weights: the model ends with the last.
 *
 * All randomness follows from `seed` and the number of the step.
 *
 * @throws ArgumentError when an option does not fit or the text is shorter than a window; FormatError or ShapeError when
 * `resume` is of another model
 */
export async function* trainLanguageModel(options: TrainLanguageModelOptions): AsyncGenerator<FitEvent, void> {
  const { model, tokens, documentStarts, validation, validateEvery = 100, checkpoint, resume, signal } = options;
  const { steps, batchSize = 32, batches = 'windows', seed = 0 } = options;
  const windowLength = windowLengthOf(options);
  const { bptt = windowLength } = options;
  checkOptions(options);
  const sizes = { tokens, batchSize, windowLength };
  const source =
    batches === 'windows'
      ? new RandomWindows({ ...sizes, seed })
      : batches === 'blocks'
        ? new SequentialWindows({ ...sizes, seed, dropLast: true })
        : new ContiguousStreams({ ...sizes, ...(documentStarts ? { documentStarts } : {}) });
  const { learningRate = 5e-3 } = options;
  const optimizer = new Optimizer(
    options.transform ?? defaultTransform(where, { ...options, learningRate }, model),
    parameters(model),
  );
  const loss =
    batches !== 'streams' || bptt < windowLength
      ? (batch: WindowBatch, context: StepContext<Carry>) =>
          chunkedLoss(model, batch, context, { bptt, carry: batches === 'streams' })
      : (batch: WindowBatch, context: StepContext<Carry>) =>
          overlappingLoss(model, batch, context, { overlap: bptt - windowLength });
  const description = options.description as unknown as Json | undefined;
  try {
    yield* fit<WindowBatch, Carry>({
      optimizer,
      loss,
      batches: source,
      steps,
      seed,
      ...(validation && validation.length >= 2
        ? {
            validate: {
              every: validateEvery,
              run: async () => ({
                validationLoss: (await evaluate(model, validation, { streams: batchSize })).nats,
              }),
            },
          }
        : {}),
      ...(checkpoint ? { checkpoint: { ...checkpoint, config: description ?? null } } : {}),
      ...(resume ? { resume } : {}),
      ...(signal ? { signal } : {}),
    });
  } finally {
    optimizer.dispose();
  }
}

/** A GPT reads what its context holds; recurrent models have no such length. */
function windowLengthOf({ model, windowLength }: TrainLanguageModelOptions): number {
  return windowLength ?? (model.contextLength === Infinity ? 100 : model.contextLength);
}

function checkOptions(options: TrainLanguageModelOptions): void {
  const { batches = 'windows' } = options;
  const windowLength = windowLengthOf(options);
  const { bptt = windowLength } = options;
  checkChoice(where, 'batches', batches, ['windows', 'blocks', 'streams']);
  checkNumber(where, 'windowLength', windowLength, { integer: true, min: 1 });
  checkNumber(where, 'bptt', bptt, { integer: true, min: 1 });
  const { model, description } = options;
  if (description && (description.ownRecurrent ?? false) !== model.ownRecurrent) {
    throw new ArgumentError({
      where,
      rule: 'the description must say whether the recurrent layer is one of your own',
      expected: `ownRecurrent: ${model.ownRecurrent}`,
      got: String(description.ownRecurrent),
      advice: 'Make it with describeLanguageModel({ model, tokenizer }).',
    });
  }
  if (model.contextLength < Infinity) checkContext(model.contextLength, { windowLength, batches, bptt });
  if (batches !== 'streams' && bptt > windowLength) {
    throw new ArgumentError({
      where,
      rule: 'gradients cannot flow back further than a window that starts from a zero state, bptt ≤ windowLength',
      expected: `≤ ${windowLength}`,
      got: String(bptt),
      advice: "Use longer windows, or batches: 'streams'.",
    });
  }
}

/** A model that carries no state reads whole windows, no longer than its context. */
function checkContext(
  contextLength: number,
  { windowLength, batches, bptt }: { windowLength: number; batches: string; bptt: number },
): void {
  checkNumber(where, 'windowLength, within the contextLength of the model,', windowLength, { max: contextLength });
  if (batches !== 'streams' && bptt === windowLength) return;
  throw new ArgumentError({
    where,
    rule: 'a model without a state to carry reads windows or blocks, with gradients through all of them',
    expected: `batches 'windows' | 'blocks', bptt ${windowLength}`,
    got: `'${batches}', ${bptt}`,
    advice: 'Leave bptt out.',
  });
}
