import { type Module, type Parameters, parameters } from '@ostinato/core';
import {
  type Batches,
  type Checkpoint,
  type FitEvent,
  fit,
  type GradientTransform,
  type Json,
  Optimizer,
  type StepContext,
  type StepLoss,
  WeightAverage,
} from '@ostinato/training';
import { FinalWeights } from './final-weights.ts';

/** What `trainToBest` needs. */
export interface BestRunOptions<Batch> {
  readonly model: Module;
  /** What is trained. Default: all parameters of the model. */
  readonly trained?: Parameters | undefined;
  readonly transform: GradientTransform;
  readonly batches: Batches<Batch>;
  readonly loss: (batch: Batch, context: StepContext<never>) => StepLoss<never>;
  readonly steps: number;
  readonly seed: number;
  /** Decay of a moving average of all weights; 0 keeps none. */
  readonly averageDecay: number;
  /** Measures held-out examples; absent without any. */
  readonly validate?: { readonly run: () => Promise<Record<string, number>> } | undefined;
  readonly validateEvery: number;
  /** The metric that tells which weights are the best. */
  readonly metric: string;
  /** Whether the highest is the best of it, or the lowest. Default 'max'. */
  readonly mode?: 'max' | 'min' | undefined;
  /** Validations without a better one after which the run stops. Default: it does not. */
  readonly patience?: number | undefined;
  readonly logEvery?: number | undefined;
  readonly checkpoint?:
    | { readonly every: number; readonly save: (checkpoint: Checkpoint) => void | Promise<void> }
    | undefined;
  readonly description?: unknown;
  readonly resume?: Checkpoint | null | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** `fit`, whose model ends with the weights of its best validation, measured with the averages where there are any. */
export async function* trainToBest<Batch>(options: BestRunOptions<Batch>): AsyncGenerator<FitEvent, void> {
  const { model, transform, batches, loss, steps, seed, averageDecay, validate, validateEvery } = options;
  const { metric, mode = 'max', patience, logEvery, checkpoint, description, resume, signal } = options;
  const own = parameters(model);
  const optimizer = new Optimizer(transform, options.trained ?? own);
  const average = averageDecay > 0 ? new WeightAverage(own, { decay: averageDecay }) : undefined;
  const final = new FinalWeights(own, { average, validated: validate !== undefined });
  const events = fit<Batch, never>({
    ...{ optimizer, loss, batches, steps, seed, average },
    parameters: final.saved,
    logEvery: logEvery ?? 1,
    ...(validate
      ? {
          validate: {
            every: validateEvery,
            run: () => (average ? average.withAverages(validate.run) : validate.run()),
          },
          earlyStopping: { metric, mode, patience: patience ?? steps },
        }
      : {}),
    ...(checkpoint ? { checkpoint: { ...checkpoint, config: (description ?? null) as Json } } : {}),
    ...(resume ? { resume } : {}),
    ...(signal ? { signal } : {}),
  });
  try {
    for await (const event of events) {
      if (event.event === 'validation' && event.best) final.keep();
      if (event.event === 'stopped') final.giveBack();
      yield event;
    }
  } finally {
    final.dispose();
    average?.dispose();
    optimizer.dispose();
  }
}
