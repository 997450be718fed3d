import { checkNumber, parameters, select } from '@ostinato/core';
import type { Tokenizer } from '@ostinato/tokenizers';
import {
  type Checkpoint,
  crossEntropy,
  type FitEvent,
  fit,
  type GradientTransform,
  type Json,
  Optimizer,
  WeightAverage,
} from '@ostinato/training';
import * as tf from '@tensorflow/tfjs-core';
import { defaultTransform } from '../shared/default-transform.ts';
import { FinalWeights } from '../shared/final-weights.ts';
import { LengthBatches } from '../shared/length-batches.ts';
import { padRows, rowsTensor } from '../shared/token-rows.ts';
import { checkVocabulary, encodeExamples, type LabelledText } from './data.ts';
import { evaluateEncoded } from './evaluate.ts';
import type { TextClassifier } from './model.ts';
import type { TextClassifierDescription } from './saved.ts';

/** How a text classifier is trained: plain JSON. */
export interface TextClassifierTrainingOptions {
  /** How often every example is read. Default 10. */
  readonly epochs?: number | undefined;
  /** Texts of a step. Default 32. */
  readonly batchSize?: number | undefined;
  /** Tokens behind this many are not read. Default 400. */
  readonly maximumLength?: number | undefined;
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
  /** Epochs without a better validation accuracy after which the run stops. Default: it does not. */
  readonly patience?: number | undefined;
  /** Of batches and dropout. Default 0. */
  readonly seed?: number | undefined;
}

/** Options of `trainTextClassifier`. */
export interface TrainTextClassifierOptions extends TextClassifierTrainingOptions {
  readonly model: TextClassifier;
  readonly tokenizer: Tokenizer;
  readonly examples: readonly LabelledText[];
  /** Held-out examples, measured after every epoch. */
  readonly validation?: readonly LabelledText[] | undefined;
  /** Steps between measurements. Default: an epoch. */
  readonly validateEvery?: number | undefined;
  /** Where and how often (in steps) the run is saved. Default: it is not. */
  readonly checkpoint?:
    | { readonly every: number; readonly save: (checkpoint: Checkpoint) => void | Promise<void> }
    | undefined;
  /** Saved with every checkpoint, so that its file alone is a model: see `describeTextClassifier`. */
  readonly description?: TextClassifierDescription | undefined;
  /** Where to go on, to the bit; the other options must be those of the run. */
  readonly resume?: Checkpoint | null | undefined;
  /** Stops the run between two steps, after a last checkpoint. */
  readonly signal?: AbortSignal | undefined;
  /** In place of clipping and Adam. */
  readonly transform?: GradientTransform | undefined;
}

const where = 'trainTextClassifier';

/**
 * Trains a text classifier, step by step, as its caller asks for events: see `fit` of `@ostinato/training`. Batches are of texts of
 * about one length, in another order every epoch. Validation events have the metrics `validationLoss` (nats), `accuracy` and
 * `macroF1`, measured with the averages of the weights where there are any.
 *
 * When the run stops the model has the weights of the best validation (highest accuracy); without validation the averages, or
 * the last. All randomness follows from `seed` and the number of the step.
 *
 * @throws ArgumentError when an option or an example does not fit; FormatError or ShapeError when `resume` is of another model
 */
export async function* trainTextClassifier(options: TrainTextClassifierOptions): AsyncGenerator<FitEvent, void> {
  const { model, tokenizer, examples, validation = [], checkpoint, resume, signal } = options;
  const { epochs = 10, batchSize = 32, maximumLength = 400, labelSmoothing = 0, averageDecay = 0 } = options;
  const { freezeVectors = false, patience, seed = 0 } = options;
  checkNumber(where, 'epochs', epochs, { integer: true, min: 1 });
  checkNumber(where, 'maximumLength', maximumLength, { integer: true, min: 1 });
  checkNumber(where, 'labelSmoothing', labelSmoothing, { min: 0, max: 1 });
  checkVocabulary(where, tokenizer, model.config.vocabularySize);
  const { labels } = model.config;
  const training = encodeExamples(where, examples, { tokenizer, labels, maximumLength });
  const held = encodeExamples(where, validation, { tokenizer, labels, maximumLength });
  const lengths = training.rows.map(row => row.length);
  const batches = new LengthBatches({ lengths, batchSize, seed });
  const steps = epochs * batches.batchesPerEpoch;
  const { validateEvery = batches.batchesPerEpoch } = options;
  const transform = options.transform ?? defaultTransform(where, { ...options, steps }, model);
  const own = parameters(model);
  const table = model.encoder.embedding.table;
  const optimizer = new Optimizer(transform, freezeVectors ? select(own, (_, variable) => variable !== table) : own);
  const average = averageDecay > 0 ? new WeightAverage(own, { decay: averageDecay }) : undefined;
  const validated = held.rows.length > 0;
  const final = new FinalWeights(own, { average, validated });
  const validate = async (): Promise<Record<string, number>> => {
    const measure = (): ReturnType<typeof evaluateEncoded> => evaluateEncoded(model, held, { batchSize: 64, signal });
    const { nats, accuracy, macro } = await (average ? average.withAverages(measure) : measure());
    return { validationLoss: nats, accuracy, macroF1: macro.f1 };
  };
  const events = fit<Uint32Array, never>({
    optimizer,
    loss: (indices, { rng }) => {
      const batch = padRows(Array.from(indices, index => training.rows[index]!));
      const targets = tf.tensor1d(
        Int32Array.from(indices, index => training.classes[index]!),
        'int32',
      );
      const logits = model.call(rowsTensor(batch), { lengths: batch.lengths, training: true, rng });
      const tokens = batch.lengths.reduce((sum, length) => sum + length, 0);
      return { loss: crossEntropy({ logits, labels: targets }, { labelSmoothing }), tokens };
    },
    batches,
    steps,
    seed,
    parameters: final.saved,
    average,
    ...(validated ? { validate: { every: validateEvery, run: validate } } : {}),
    ...(validated ? { earlyStopping: { metric: 'accuracy', mode: 'max', patience: patience ?? steps } } : {}),
    ...(checkpoint ? { checkpoint: { ...checkpoint, config: (options.description ?? null) as unknown as Json } } : {}),
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
