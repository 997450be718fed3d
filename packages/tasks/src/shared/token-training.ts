import { checkNumber, type Module, parameters, type Rng, select } from '@ostinato/core';
import type { Checkpoint, FitEvent, GradientTransform } from '@ostinato/training';
import type * as tf from '@tensorflow/tfjs-core';
import { trainToBest } from './best-run.ts';
import { defaultTransform } from './default-transform.ts';
import { LengthBatches } from './length-batches.ts';
import type { TokenEncoder } from './token-encoder.ts';

/** How a model that reads whole texts is trained: plain JSON. */
export interface TokenTrainingOptions {
  /** How often every example is read. Default 10. */
  readonly epochs?: number | undefined;
  /** Examples of a step. Default 32. */
  readonly batchSize?: number | undefined;
  /** Of Adam. Default 1e-3. */
  readonly learningRate?: number | undefined;
  /** `cosine` falls to a twentieth of `learningRate` at the last step. Default 'constant'. */
  readonly schedule?: 'constant' | 'cosine' | undefined;
  /** Decoupled weight decay of matrices, the embedding among them. Default 0. */
  readonly weightDecay?: number | undefined;
  /** Largest global norm of the gradient; 0 does not clip. Default 1. */
  readonly clipNorm?: number | undefined;
  /** ε of label smoothing. Default 0. */
  readonly labelSmoothing?: number | undefined;
  /** Decay of a moving average of all weights, which then takes their place; 0 keeps none. Default 0. */
  readonly averageDecay?: number | undefined;
  /** Whether the vectors of the tokens stay as they are (pretrained ones). Default false. */
  readonly freezeVectors?: boolean | undefined;
  /** Validations without a better one after which the run stops. Default: it does not. */
  readonly patience?: number | undefined;
  /** Of batches and dropout. Default 0. */
  readonly seed?: number | undefined;
}

/** What a training has beside its data and its plain options. */
export interface TokenRunOptions<Description> {
  /** Steps between measurements of the held-out examples. Default: an epoch. */
  readonly validateEvery?: number | undefined;
  /** Where and how often (in steps) the run is saved. Default: it is not. */
  readonly checkpoint?:
    | { readonly every: number; readonly save: (checkpoint: Checkpoint) => void | Promise<void> }
    | undefined;
  /** Saved with every checkpoint, so that its file alone is a model. */
  readonly description?: Description | undefined;
  /** Where to go on, to the bit; the other options must be those of the run. */
  readonly resume?: Checkpoint | null | undefined;
  /** Stops the run between two steps, after a last checkpoint. */
  readonly signal?: AbortSignal | undefined;
  /** In place of clipping and Adam. */
  readonly transform?: GradientTransform | undefined;
}

/** What the tasks differ in. */
interface TokenTask {
  readonly where: string;
  readonly model: Module & { readonly encoder: TokenEncoder };
  /** Tokens of every example. */
  readonly rows: readonly Int32Array[];
  /** Loss of the examples of these indices; `rng` draws dropout. */
  readonly loss: (indices: Uint32Array, rng: Rng) => tf.Tensor;
  /** Measures held-out examples; absent without any. */
  readonly validate?: (() => Promise<Record<string, number>>) | undefined;
  /** The metric that tells which weights are the best: the higher the better. */
  readonly metric: string;
}

/** The training that text classification and tagging share: see `trainTextClassifier`. */
export async function* trainTokenModel<Description>(
  { where, model, rows, loss, validate, metric }: TokenTask,
  options: TokenTrainingOptions & TokenRunOptions<Description>,
): AsyncGenerator<FitEvent, void> {
  const { epochs = 10, batchSize = 32, averageDecay = 0, freezeVectors = false, seed = 0 } = options;
  const { labelSmoothing = 0 } = options;
  checkNumber(where, 'epochs', epochs, { integer: true, min: 1 });
  checkNumber(where, 'labelSmoothing', labelSmoothing, { min: 0, max: 1 });
  const lengths = rows.map(row => row.length);
  const batches = new LengthBatches({ lengths, batchSize, seed });
  const steps = epochs * batches.batchesPerEpoch;
  const { validateEvery = batches.batchesPerEpoch } = options;
  const transform = options.transform ?? defaultTransform(where, { ...options, steps }, model);
  const { table } = model.encoder.embedding;
  yield* trainToBest<Uint32Array>({
    ...options,
    ...{ model, transform, batches, steps, seed, averageDecay, validateEvery, metric },
    trained: freezeVectors ? select(parameters(model), (_, variable) => variable !== table) : undefined,
    loss: (indices, { rng }) => ({
      loss: loss(indices, rng),
      tokens: indices.reduce((sum, index) => sum + lengths[index]!, 0),
    }),
    validate: validate && { run: validate },
  });
}
