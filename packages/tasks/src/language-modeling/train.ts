import {
  ArgumentError,
  checkChoice,
  checkNumber,
  mapState,
  parameters,
  type State,
  stopGradient,
} from '@ostinato/core';
import { ContiguousStreams, RandomWindows, type WindowBatch } from '@ostinato/data';
import {
  adam,
  type Checkpoint,
  chain,
  clipByGlobalNorm,
  cosine,
  crossEntropy,
  type FitEvent,
  fit,
  type GradientTransform,
  type Json,
  Optimizer,
  type StepContext,
  type StepLoss,
  windowLoss,
} from '@ostinato/training';
import * as tf from '@tensorflow/tfjs-core';
import { evaluate } from './evaluate.ts';
import type { LanguageModel } from './model.ts';
import type { LanguageModelDescription } from './saved.ts';

/** How a language model is trained: plain JSON. */
export interface LanguageModelTrainingOptions {
  readonly steps: number;
  /** Rows B. Default 32. */
  readonly batchSize?: number | undefined;
  /** Tokens T that a step reads in every row. Default 100. */
  readonly windowLength?: number | undefined;
  /**
   * `windows`: from anywhere in the text, each from a zero state. `streams`: the text as B streams, read one window after
   * another, with the state carried over and set to zero where a document begins. Default 'windows'.
   */
  readonly batches?: 'windows' | 'streams' | undefined;
  /**
   * How many tokens gradients flow back (k2 of truncated back-propagation; k1 is `windowLength`). More than `windowLength`
   * needs streams. Default `windowLength`.
   */
  readonly bptt?: number | undefined;
  /** Of Adam. Default 5e-3. */
  readonly learningRate?: number | undefined;
  /** `cosine` falls to a twentieth of `learningRate` at the last step. Default 'constant'. */
  readonly schedule?: 'constant' | 'cosine' | undefined;
  /** Largest global norm of the gradient; 0 does not clip. Default 1. */
  readonly clipNorm?: number | undefined;
  /** Of windows and dropout. Default 0. */
  readonly seed?: number | undefined;
}

/** Options of `trainLanguageModel`. */
export interface TrainLanguageModelOptions extends LanguageModelTrainingOptions {
  readonly model: LanguageModel;
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
  /** In place of clipping and Adam. */
  readonly transform?: GradientTransform | undefined;
}

const where = 'trainLanguageModel';

/** What a step of streams hands to the next: the state, and the tokens that gradients may still flow through. */
interface Carry {
  readonly [name: string]: State;
}

/**
 * Trains a language model, step by step, as its caller asks for events: see `fit` of `@ostinato/training`. Validation events
 * have the metric `validationLoss`, in nats per token.
 *
 * All randomness follows from `seed` and the number of the step.
 *
 * @throws ArgumentError when an option does not fit or the text is shorter than a window; FormatError or ShapeError when
 * `resume` is of another model
 */
export async function* trainLanguageModel(options: TrainLanguageModelOptions): AsyncGenerator<FitEvent, void> {
  const { model, tokens, documentStarts, validation, validateEvery = 100, checkpoint, resume, signal } = options;
  const { steps, batchSize = 32, windowLength = 100, batches = 'windows', bptt = windowLength, seed = 0 } = options;
  checkOptions(options);
  const source =
    batches === 'windows'
      ? new RandomWindows({ tokens, batchSize, windowLength, seed })
      : new ContiguousStreams({ tokens, batchSize, windowLength, ...(documentStarts ? { documentStarts } : {}) });
  const optimizer = new Optimizer(options.transform ?? defaultTransform(options), parameters(model));
  const loss =
    batches === 'windows' || bptt < windowLength
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

function checkOptions(options: TrainLanguageModelOptions): void {
  const { windowLength = 100, batches = 'windows', bptt = windowLength } = options;
  const { learningRate = 5e-3, schedule = 'constant', clipNorm = 1 } = options;
  checkChoice(where, 'batches', batches, ['windows', 'streams']);
  checkChoice(where, 'schedule', schedule, ['constant', 'cosine']);
  checkNumber(where, 'windowLength', windowLength, { integer: true, min: 1 });
  checkNumber(where, 'bptt', bptt, { integer: true, min: 1 });
  checkNumber(where, 'learningRate', learningRate, { above: 0 });
  checkNumber(where, 'clipNorm', clipNorm, { min: 0 });
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
  if (batches === 'windows' && bptt > windowLength) {
    throw new ArgumentError({
      where,
      rule: 'gradients cannot flow back further than a window that starts from a zero state, bptt ≤ windowLength',
      expected: `≤ ${windowLength}`,
      got: String(bptt),
      advice: "Use longer windows, or batches: 'streams'.",
    });
  }
}

function defaultTransform({
  steps,
  learningRate = 5e-3,
  schedule = 'constant',
  clipNorm = 1,
}: LanguageModelTrainingOptions): GradientTransform {
  const rate = schedule === 'cosine' ? cosine({ rate: learningRate, minimum: learningRate / 20, steps }) : learningRate;
  const update = adam({ learningRate: rate });
  return clipNorm === 0 ? update : chain(clipByGlobalNorm(clipNorm), update);
}

/** Resets of a batch, as streams have them. */
function resetsOf(batch: WindowBatch): Uint8Array | undefined {
  return (batch as { readonly reset?: Uint8Array }).reset;
}

/** Mean loss of a window that is read in parts of `bptt` tokens; the state that enters a part is a constant. */
function chunkedLoss(
  model: LanguageModel,
  batch: WindowBatch,
  { state, rng }: StepContext<Carry>,
  { bptt, carry }: { readonly bptt: number; readonly carry: boolean },
): StepLoss<Carry> {
  const [rows, time] = batch.shape;
  const ids = tf.tensor2d(batch.inputs, batch.shape, 'int32'); // [B, T]
  const resets = resetsOf(batch);
  const outputs: tf.Tensor[] = [];
  let current: State | undefined = state?.['state'];
  for (let start = 0; start < time; start += bptt) {
    const size = Math.min(bptt, time - start);
    const result = model.hidden(tf.slice(ids, [0, start], [rows, size]), {
      state: current && mapState(current, tensor => stopGradient(tensor)),
      resets: resets && columns(resets, { rows, time, start, size }),
      training: true,
      rng: rng.split(start),
    });
    outputs.push(result.output);
    current = result.state;
  }
  const hidden = outputs.length === 1 ? outputs[0]! : tf.concat(outputs, 1); // [B, T, H]
  const labels = tf.tensor2d(batch.targets, batch.shape, 'int32');
  return {
    loss: crossEntropy({ logits: model.project(hidden), labels }),
    tokens: rows * time,
    state: carry ? { state: mapState(current!, tensor => tf.clone(tensor)) } : undefined,
  };
}

/** Mean loss of a window of a stream, whose gradients flow on through the `overlap` tokens before it. */
function overlappingLoss(
  model: LanguageModel,
  batch: WindowBatch,
  { state: carried, rng }: StepContext<Carry>,
  { overlap }: { readonly overlap: number },
): StepLoss<Carry> {
  const [rows, time] = batch.shape;
  const fresh = tf.tensor2d(batch.inputs, batch.shape, 'int32'); // [B, T]
  const freshResets = tf.tensor2d(Int32Array.from(resetsOf(batch)!), batch.shape, 'int32');
  const before = carried?.['tokens'] as tf.Tensor | undefined; // [B, ≤ overlap]
  const input = before ? tf.concat([before, fresh], 1) : fresh;
  const resets = before ? tf.concat([carried!['resets'] as tf.Tensor, freshResets], 1) : freshResets;
  const end = input.shape[1]!;
  const nextStart = Math.max(0, end - overlap);
  const labels = tf.tensor2d(batch.targets, batch.shape, 'int32');
  const result = windowLoss<State>({
    model: { call: (ids, options) => model.hidden(ids, options) },
    window: { start: 0, lossStart: end - time, end, nextStart },
    input,
    state: carried?.['state'],
    resets: resets.dataSync(),
    loss: hidden => crossEntropy({ logits: model.project(hidden), labels }),
    training: true,
    rng,
  });
  const kept = { tokens: tail(input, nextStart), resets: tail(resets, nextStart) };
  const next: Carry = {
    ...(overlap > 0 ? kept : {}),
    ...(result.state ? { state: result.state } : {}),
  };
  return { loss: result.loss, tokens: rows * time, state: next };
}

/** Columns from `start` on. */
function tail(matrix: tf.Tensor, start: number): tf.Tensor {
  return tf.slice(matrix, [0, start], [matrix.shape[0]!, matrix.shape[1]! - start]);
}

/** Columns start … start+size−1 of a row-major [rows, time] array. */
function columns(
  values: Uint8Array,
  { rows, time, start, size }: { rows: number; time: number; start: number; size: number },
): Uint8Array {
  const part = new Uint8Array(rows * size);
  for (let row = 0; row < rows; row++) {
    part.set(values.subarray(row * time + start, row * time + start + size), row * size);
  }
  return part;
}
