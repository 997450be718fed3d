import { checkChoice, checkNumber } from '@ostinato/core';
import { LengthBatches } from '@ostinato/data';
import type { BleuOptions } from '@ostinato/metrics';
import { corpusBleu, corpusChrf } from '@ostinato/metrics';
import {
  adam,
  type Checkpoint,
  chain,
  clipByGlobalNorm,
  cosine,
  crossEntropy,
  type FitEvent,
  type GradientTransform,
  inverseSquareRoot,
  noam,
  type Schedule,
  warmup,
} from '@ostinato/training';
import { trainToBest } from '../shared/best-run.ts';
import { encodePairs, pairTensors } from './data.ts';
import { targetLoss } from './evaluate.ts';
import type { Translator } from './model.ts';
import type { TranslatorDescription } from './saved.ts';
import type { SentencePair, TranslationTokenizers } from './tokenizers.ts';
import { translate } from './translate.ts';

/** How a translator is trained: plain JSON. */
export interface TranslatorTrainingOptions {
  readonly steps: number;
  /** Most tokens of a step, padding included: rows · (longest source + longest target). Default 4096. */
  readonly maximumTokens?: number | undefined;
  /** Pairs with more tokens on a side are left out. Default 256. */
  readonly maximumLength?: number | undefined;
  /** Highest rate of Adam. Default 2e-3. */
  readonly learningRate?: number | undefined;
  /**
   * `cosine` falls to a fiftieth of `learningRate` at the last step; `inverse-square-root` with 1/√step; `noam` is that with the rate of
   * Vaswani et al. 2017, where `learningRate` is a factor (1 there) over √D; `constant` stays. Default 'cosine'.
   */
  readonly schedule?: 'cosine' | 'inverse-square-root' | 'noam' | 'constant' | undefined;
  /** Steps in which the rate rises. Default 400, but no more than a tenth of `steps`. */
  readonly warmup?: number | undefined;
  /** β₂ of Adam. Default 0.98, as Vaswani et al. 2017. */
  readonly beta2?: number | undefined;
  /** Largest global norm of the gradient; 0 does not clip. Default 1. */
  readonly clipNorm?: number | undefined;
  /** ε of label smoothing. Default 0.1. */
  readonly labelSmoothing?: number | undefined;
  /** Decay of a moving average of all weights, which then takes their place; 0 keeps none. Default 0. */
  readonly averageDecay?: number | undefined;
  /** Of batches and dropout. Default 0. */
  readonly seed?: number | undefined;
}

/** Options of `trainTranslator`. */
export interface TrainTranslatorOptions extends TranslatorTrainingOptions {
  readonly model: Translator;
  readonly tokenizers: TranslationTokenizers;
  readonly pairs: readonly SentencePair[];
  /** Held-out pairs. */
  readonly validation?: readonly SentencePair[] | undefined;
  /** Steps between measurements of held-out pairs. Default 500. */
  readonly validateEvery?: number | undefined;
  /** Hypotheses of the translations that are scored then. Default 1: greedy. */
  readonly validationBeam?: number | undefined;
  /** How BLEU is measured. Default: sacreBLEU's. */
  readonly bleu?: BleuOptions | undefined;
  /** Validations without a better chrF after which the run stops. Default: it does not. */
  readonly patience?: number | undefined;
  /** Where and how often the run is saved. Default: it is not. */
  readonly checkpoint?:
    | { readonly every: number; readonly save: (checkpoint: Checkpoint) => void | Promise<void> }
    | undefined;
  /** Saved with every checkpoint, so that its file alone is a model: see `describeTranslator`. */
  readonly description?: TranslatorDescription | undefined;
  /** Where to go on, to the bit; the other options must be those of the run. */
  readonly resume?: Checkpoint | null | undefined;
  /** Steps between `step` events. Default 1. */
  readonly logEvery?: number | undefined;
  /** Stops the run between two steps, after a last checkpoint. */
  readonly signal?: AbortSignal | undefined;
  /** In place of clipping and Adam. */
  readonly transform?: GradientTransform | undefined;
}

const where = 'trainTranslator';

/**
 * Trains a translator, step by step, as its caller asks for events: see `fit` of `@ostinato/training`. Batches are of pairs of
 * about one length, as many as their tokens allow, in another order every epoch. Validation events have the metrics
 * `validationLoss` (nats per token, without label smoothing), `bleu` and `chrf`, measured with the averages of the weights where there are any.
 *
 * When the run stops the model has the weights of the best validation (highest chrF, which unlike BLEU tells short sentences apart); without validation the averages, or the
 * last. All randomness follows from `seed` and the number of the step.
 *
 * @throws ArgumentError when an option does not fit or no pair is short enough; FormatError or ShapeError when `resume` is of another model
 */
export async function* trainTranslator(options: TrainTranslatorOptions): AsyncGenerator<FitEvent, void> {
  const { model, tokenizers, pairs, validation = [], maximumTokens = 4096, maximumLength = 256, seed = 0 } = options;
  const { labelSmoothing = 0.1, validateEvery = 500, validationBeam = 1, signal, averageDecay = 0 } = options;
  const { config } = model;
  checkNumber(where, 'labelSmoothing', labelSmoothing, { min: 0, max: 1 });
  checkNumber(where, 'maximumLength', maximumLength, { integer: true, min: 1 });
  const encoded = encodePairs(where, pairs, { tokenizers, config, maximumLength });
  const lengths = [
    encoded.sources.map(({ length }) => length),
    encoded.targets.map(({ length }) => length - 1), // read and told are shifted by one
  ];
  const held = validation.length > 0 ? encodePairs(where, validation, { tokenizers, config }) : undefined;
  yield* trainToBest<Uint32Array>({
    ...{ model, seed, averageDecay, validateEvery, patience: options.patience, metric: 'chrf' },
    steps: options.steps,
    batches: new LengthBatches({ lengths, maximumTokens, seed }),
    transform: options.transform ?? transformOf(options),
    loss: (indices, { rng }) => {
      const { source, sourceLengths, target, labels, tokens } = pairTensors(encoded, indices);
      const logits = model.call({ source, target }, { sourceLengths, training: true, rng });
      return { loss: crossEntropy({ logits, labels }, { ignoreIndex: -1, labelSmoothing }), tokens };
    },
    validate: held && {
      run: async () => {
        const { nats } = await targetLoss(model, held, { signal });
        const texts = validation.map(({ source }) => source);
        const found = await translate({ model, tokenizers, texts, beamSize: validationBeam, signal });
        const references = validation.map(({ target }) => target);
        const said = found.map(({ text }) => text);
        const { score: bleu } = corpusBleu(said, references, options.bleu);
        const { score: chrf } = corpusChrf(said, references, { lowercase: options.bleu?.lowercase });
        return { validationLoss: nats, bleu, chrf };
      },
    },
    ...{ logEvery: options.logEvery, checkpoint: options.checkpoint, description: options.description },
    ...{ resume: options.resume, signal },
  });
}

function transformOf(options: TrainTranslatorOptions): GradientTransform {
  const { clipNorm = 1, beta2 = 0.98 } = options;
  checkNumber(where, 'clipNorm', clipNorm, { min: 0 });
  const update = adam({ learningRate: scheduleOf(options), beta2, epsilon: 1e-9 });
  return clipNorm === 0 ? update : chain(clipByGlobalNorm(clipNorm), update);
}

function scheduleOf(options: TrainTranslatorOptions): Schedule {
  const { steps, learningRate = 2e-3, schedule = 'cosine' } = options;
  const { warmup: rise = Math.max(1, Math.min(400, Math.floor(steps / 10))) } = options;
  checkChoice(where, 'schedule', schedule, ['cosine', 'inverse-square-root', 'noam', 'constant']);
  checkNumber(where, 'learningRate', learningRate, { above: 0 });
  checkNumber(where, 'warmup', rise, { integer: true, min: 1 });
  if (schedule === 'inverse-square-root') return inverseSquareRoot({ rate: learningRate, warmup: rise });
  if (schedule === 'noam') {
    const { config } = options.model;
    const size = config.architecture === 'recurrent' ? config.hiddenSize : config.size;
    return noam({ size: size!, warmup: rise, factor: learningRate });
  }
  if (schedule === 'constant') return warmup(rise, () => learningRate);
  return warmup(rise, cosine({ rate: learningRate, minimum: learningRate / 50, steps: Math.max(1, steps - rise) }));
}
