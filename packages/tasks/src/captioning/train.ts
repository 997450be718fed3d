import { ArgumentError, checkNumber, type Rng } from '@ostinato/core';
import { LengthBatches } from '@ostinato/data';
import type { Tokenizer } from '@ostinato/tokenizers';
import { type Checkpoint, crossEntropy, type FitEvent, type GradientTransform } from '@ostinato/training';
import { trainToBest } from '../shared/best-run.ts';
import { defaultTransform } from '../shared/default-transform.ts';
import { caption } from './caption.ts';
import { captionLoss, scoreCaptions } from './evaluate.ts';
import {
  batchOf,
  type CaptionedPicture,
  captionTensors,
  checkTokenizer,
  checkValues,
  encodeCaptions,
  type PictureValues,
} from './examples.ts';
import type { Captioner } from './model.ts';
import { moved } from './pictures.ts';
import type { CaptionerDescription } from './saved.ts';

/** How a captioner is trained: plain JSON. */
export interface CaptionerTrainingOptions {
  readonly steps: number;
  /** Captions of a step. Default 32. */
  readonly batchSize?: number | undefined;
  /** Highest rate of Adam. Default 1e-3. */
  readonly learningRate?: number | undefined;
  /** `cosine` falls to a twentieth of `learningRate` at the last step. Default 'cosine'. */
  readonly schedule?: 'constant' | 'cosine' | undefined;
  /** Steps in which the rate rises. Default 100, but no more than a tenth of `steps`. */
  readonly warmup?: number | undefined;
  /** Decoupled weight decay of matrices. Default 0.01. */
  readonly weightDecay?: number | undefined;
  /** Largest global norm of the gradient; 0 does not clip. Default 1. */
  readonly clipNorm?: number | undefined;
  /** ε of label smoothing. Default 0.1. */
  readonly labelSmoothing?: number | undefined;
  /** Pixels by which a picture is moved at most, down or up and right or left, anew every time; 0 leaves it. Default 4. */
  readonly shift?: number | undefined;
  /** Whether half of the pictures are mirrored: not where captions say left and right, or have letters in them. Default false. */
  readonly mirror?: boolean | undefined;
  /** Decay of a moving average of all weights, which then takes their place; 0 keeps none. Default 0. */
  readonly averageDecay?: number | undefined;
  /** Of batches, moves and dropout. Default 0. */
  readonly seed?: number | undefined;
}

/** Options of `trainCaptioner`. */
export interface TrainCaptionerOptions extends CaptionerTrainingOptions {
  readonly model: Captioner;
  readonly tokenizer: Tokenizer;
  readonly examples: readonly CaptionedPicture[];
  /** Held-out examples. */
  readonly validation?: readonly CaptionedPicture[] | undefined;
  /** Steps between measurements of held-out examples. Default 200. */
  readonly validateEvery?: number | undefined;
  /** Validations without a better one after which the run stops. Default: it does not. */
  readonly patience?: number | undefined;
  /** Where and how often the run is saved. Default: it is not. */
  readonly checkpoint?:
    | { readonly every: number; readonly save: (checkpoint: Checkpoint) => void | Promise<void> }
    | undefined;
  /** Saved with every checkpoint, so that its file alone is a model: see `describeCaptioner`. */
  readonly description?: CaptionerDescription | undefined;
  /** Where to go on, to the bit; the other options must be those of the run. */
  readonly resume?: Checkpoint | null | undefined;
  /** Steps between `step` events. Default 1. */
  readonly logEvery?: number | undefined;
  /** Stops the run between two steps, after a last checkpoint. */
  readonly signal?: AbortSignal | undefined;
  /** In place of clipping and AdamW. */
  readonly transform?: GradientTransform | undefined;
}

const where = 'trainCaptioner';

/**
 * Trains a captioner end to end, step by step, as its caller asks for events: see `fit` of `@ostinato/training`. Every caption comes
 * once an epoch, with its picture moved a little. Validation events have the metrics `validationLoss` (nats per token, without label
 * smoothing), `bleu`, `chrf` and `cider` of greedy captions, measured with the averages of the weights where there are any.
 *
 * When the run stops the model has the weights of the best validation (highest chrF, which unlike the others is never quite 0); without
 * validation the averages, or the last. All randomness follows from `seed` and the number of the step.
 *
 * @throws ArgumentError when an option does not fit, there is no example, or a picture has another size than the model reads; FormatError or
 *   ShapeError when `resume` is of another model
 */
export async function* trainCaptioner(options: TrainCaptionerOptions): AsyncGenerator<FitEvent, void> {
  const { model, tokenizer, examples, validation = [], steps, batchSize = 32, seed = 0, averageDecay = 0 } = options;
  const { labelSmoothing = 0.1, shift = 4, mirror = false, validateEvery = 200, signal } = options;
  const { learningRate = 1e-3, schedule = 'cosine', weightDecay = 0.01 } = options;
  const { warmup = Math.min(100, Math.floor(steps / 10)) } = options;
  checkTokenizer(where, tokenizer, model);
  checkNumber(where, 'labelSmoothing', labelSmoothing, { min: 0, max: 1 });
  checkNumber(where, 'shift', shift, { integer: true, min: 0, below: model.config.side });
  for (const part of [examples, validation]) checkExamples(part, model);
  if (examples.length === 0)
    throw new ArgumentError({ where, rule: 'there must be at least one example', got: 'none' });
  // Each caption is an example of its own.
  const owners = examples.flatMap(({ captions }, picture) => captions.map(() => picture));
  const captions = encodeCaptions(
    tokenizer,
    examples.flatMap(example => example.captions),
  );
  const move = (values: PictureValues, rng: Rng): PictureValues => {
    if (model.config.encoder === 'features' || (shift === 0 && !mirror)) return values;
    const along = (): number => Math.floor(rng.next() * (2 * shift + 1)) - shift;
    return moved(values, model.config.side, { down: along(), right: along(), mirror: mirror && rng.next() < 0.5 });
  };
  yield* trainToBest<Uint32Array>({
    ...{ model, steps, seed, averageDecay, validateEvery, patience: options.patience, metric: 'chrf' },
    batches: new LengthBatches({ lengths: [captions.map(ids => ids.length)], batchSize, bucketWidth: 4, seed }),
    transform:
      options.transform ?? defaultTransform(where, { ...options, learningRate, schedule, weightDecay, warmup }, model),
    loss: (indices, { rng }) => {
      const rows = Array.from(indices);
      const pictures = rows.map((row, i) => move(examples[owners[row]!]!.values, rng.split('move').split(i)));
      const { target, labels, tokens } = captionTensors(rows.map(row => captions[row]!));
      const logits = model.call({ pictures: batchOf(pictures, model), target }, { training: true, rng });
      return { loss: crossEntropy({ logits, labels }, { ignoreIndex: -1, labelSmoothing }), tokens };
    },
    validate:
      validation.length === 0
        ? undefined
        : {
            run: async () => {
              const { nats } = await captionLoss({ model, tokenizer, examples: validation, signal });
              const pictures = validation.map(({ values }) => values);
              const said = await caption({ model, tokenizer, pictures, beamSize: 1, signal });
              const { bleu, chrf, cider } = scoreCaptions(
                said.map(({ text }) => text),
                validation.map(example => example.captions),
              );
              return { validationLoss: nats, bleu: bleu.score, chrf, cider };
            },
          },
    ...{ logEvery: options.logEvery, checkpoint: options.checkpoint, description: options.description },
    ...{ resume: options.resume, signal },
  });
}

function checkExamples(examples: readonly CaptionedPicture[], model: Captioner): void {
  checkValues(
    where,
    examples.map(({ values }) => values),
    model,
  );
  const mute = examples.findIndex(({ captions }) => captions.length === 0);
  if (mute >= 0)
    throw new ArgumentError({ where, rule: 'every picture must have a caption', got: `none of picture ${mute}` });
}
