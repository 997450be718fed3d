import { parameters, select, yieldToEvents } from '@ostinato/core';
import { type Series, type SeriesBatch, SeriesWindows, type TimeRange } from '@ostinato/data';
import {
  type Checkpoint,
  type FitEvent,
  type GradientTransform,
  quantileLoss,
  type StepContext,
  type StepLoss,
} from '@ostinato/training';
import * as tf from '@tensorflow/tfjs-core';
import { trainToBest } from '../shared/best-run.ts';
import { defaultTransform } from '../shared/default-transform.ts';
import { calibrate } from './calibrate.ts';
import type { Forecaster } from './model.ts';
import { batchTensors } from './predict.ts';
import type { ForecasterDescription } from './saved.ts';

/** How a forecaster is trained: plain JSON. */
export interface ForecasterTrainingOptions {
  readonly steps: number;
  /** Windows B of a step. Default 32. */
  readonly batchSize?: number | undefined;
  /** Of Adam. Default 2e-3. */
  readonly learningRate?: number | undefined;
  /** `cosine` falls to a twentieth of `learningRate` at the last step. Default 'cosine'. */
  readonly schedule?: 'constant' | 'cosine' | undefined;
  /** Decay of matrices, decoupled: λ of AdamW. Default 0. */
  readonly weightDecay?: number | undefined;
  /** Largest global norm of the gradient; 0 does not clip. Default 1. */
  readonly clipNorm?: number | undefined;
  /** Of windows and dropout. Default 0. */
  readonly seed?: number | undefined;
}

/** Options of `trainForecaster`. */
export interface TrainForecasterOptions extends ForecasterTrainingOptions {
  readonly model: Forecaster;
  readonly series: Series;
  /** The part to learn from; neither inputs nor targets of a training window lie outside. Default: all. */
  readonly range?: TimeRange | undefined;
  /** A held-out part: the validation loss is measured on it, and intervals are calibrated, see `calibrate`. */
  readonly validation?: TimeRange | undefined;
  /** Steps between measurements on the validation part. Default 100. */
  readonly validateEvery?: number | undefined;
  /** Stops after so many measurements without a better validation loss. Default: it takes all steps. */
  readonly patience?: number | undefined;
  /** Where and how often the run is saved. Default: it is not. */
  readonly checkpoint?:
    | { readonly every: number; readonly save: (checkpoint: Checkpoint) => void | Promise<void> }
    | undefined;
  /** Saved with every checkpoint, so that its file alone is a model: see `describeForecaster`. */
  readonly description?: ForecasterDescription | undefined;
  /** Where to go on, to the bit; the other options must be those of the run. */
  readonly resume?: Checkpoint | null | undefined;
  /** Stops the run between two steps, after a last checkpoint. */
  readonly signal?: AbortSignal | undefined;
  /** In place of clipping and AdamW. */
  readonly transform?: GradientTransform | undefined;
}

const where = 'trainForecaster';

/**
 * Trains a forecaster on the quantile loss of its own numbers, step by step, as its caller asks for events: see `fit` of
 * `@ostinato/training`. Every window of the range comes once an epoch, shuffled. Validation events have the metric `validationLoss`; at
 * each of them intervals are calibrated anew on the validation part. When the run stops the model has the weights and the calibration of its
 * best validation; without one the last weights.
 *
 * All randomness follows from `seed` and the number of the step.
 *
 * @throws ArgumentError when an option does not fit or a part has no window; FormatError or ShapeError when `resume` is of another model
 */
export async function* trainForecaster(options: TrainForecasterOptions): AsyncGenerator<FitEvent, void> {
  const { model, series, range, validation, validateEvery = 100 } = options;
  const { steps, batchSize = 32, learningRate = 2e-3, schedule = 'cosine', seed = 0 } = options;
  const source = new SeriesWindows({ ...windowSizes(model), series, range, batchSize, seed });
  // Found out here when the part is too short, not at the first measurement.
  if (validation) new SeriesWindows({ ...windowSizes(model), series, range: validation, batchSize });
  const transform = options.transform ?? defaultTransform(where, { ...options, learningRate, schedule }, model);
  yield* trainToBest<SeriesBatch>({
    ...{ model, transform, steps, seed, averageDecay: 0, validateEvery, patience: options.patience },
    trained: select(parameters(model), (_, parameter) => parameter.trainable),
    loss: (batch, context) => windowLoss(model, batch, context),
    batches: source,
    ...{ metric: 'validationLoss', mode: 'min' },
    validate: validation && {
      run: async () => {
        await calibrate(model, { series, range: validation });
        return { validationLoss: await lossOf(model, series, validation) };
      },
    },
    ...{ checkpoint: options.checkpoint, description: options.description, resume: options.resume },
    signal: options.signal,
  });
}

function windowSizes(model: Forecaster): { inputLength: number; horizon: number } {
  return { inputLength: model.historyLength, horizon: model.config.horizon };
}

/** Mean quantile loss of a batch, in the network's own numbers. */
function windowLoss(model: Forecaster, batch: SeriesBatch, { rng }: StepContext<never>): StepLoss<never> {
  const { inputs, targets } = batchTensors(where, model, batch);
  const prediction = model.call(inputs, { training: true, rng });
  const loss = quantileLoss({ prediction, target: targets }, { quantiles: model.levels });
  return { loss, tokens: targets.size };
}

/** The same over all windows of a part. */
async function lossOf(model: Forecaster, series: Series, range: TimeRange): Promise<number> {
  let [sum, count] = [0, 0];
  for (const batch of new SeriesWindows({ ...windowSizes(model), series, range, batchSize: 256 })) {
    await yieldToEvents();
    const total = tf.tidy(() => {
      const { inputs, targets } = batchTensors(where, model, batch);
      return quantileLoss(
        { prediction: model.call(inputs), target: targets },
        { quantiles: model.levels, reduction: 'sum' },
      );
    });
    sum += (await total.data())[0]!;
    total.dispose();
    count += batch.origins.length * model.config.horizon * model.config.targets.length;
  }
  return sum / count;
}
