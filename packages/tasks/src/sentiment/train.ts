import { checkNumber } from '@ostinato/core';
import type { Tokenizer } from '@ostinato/tokenizers';
import { crossEntropy, type FitEvent } from '@ostinato/training';
import * as tf from '@tensorflow/tfjs-core';
import { padRows, rowsTensor } from '../shared/token-rows.ts';
import { type TokenRunOptions, type TokenTrainingOptions, trainTokenModel } from '../shared/token-training.ts';
import { checkVocabulary } from '../shared/vocabulary.ts';
import { encodeExamples, type LabelledText } from './data.ts';
import { evaluateEncoded } from './evaluate.ts';
import type { TextClassifier } from './model.ts';
import type { TextClassifierDescription } from './saved.ts';

/** How a text classifier is trained: plain JSON. */
export interface TextClassifierTrainingOptions extends TokenTrainingOptions {
  /** Tokens behind this many are not read. Default 400. */
  readonly maximumLength?: number | undefined;
}

/** Options of `trainTextClassifier`. `description` is that of `describeTextClassifier`. */
export interface TrainTextClassifierOptions
  extends TextClassifierTrainingOptions,
    TokenRunOptions<TextClassifierDescription> {
  readonly model: TextClassifier;
  readonly tokenizer: Tokenizer;
  readonly examples: readonly LabelledText[];
  /** Held-out examples, measured after every epoch. */
  readonly validation?: readonly LabelledText[] | undefined;
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
  const { model, tokenizer, examples, validation = [], maximumLength = 400, labelSmoothing, signal } = options;
  checkNumber(where, 'maximumLength', maximumLength, { integer: true, min: 1 });
  checkVocabulary(where, tokenizer, model.config.vocabularySize);
  const { labels } = model.config;
  const { rows, classes } = encodeExamples(where, examples, { tokenizer, labels, maximumLength });
  const held = encodeExamples(where, validation, { tokenizer, labels, maximumLength });
  const validate = async (): Promise<Record<string, number>> => {
    const { nats, accuracy, macro } = await evaluateEncoded(model, held, { batchSize: 64, signal });
    return { validationLoss: nats, accuracy, macroF1: macro.f1 };
  };
  yield* trainTokenModel(
    {
      where,
      model,
      rows,
      loss: (indices, rng) => {
        const batch = padRows(Array.from(indices, index => rows[index]!));
        const targets = tf.tensor1d(
          Int32Array.from(indices, index => classes[index]!),
          'int32',
        );
        const logits = model.call(rowsTensor(batch), { lengths: batch.lengths, training: true, rng });
        return crossEntropy({ logits, labels: targets }, { labelSmoothing });
      },
      validate: held.rows.length > 0 ? validate : undefined,
      metric: 'accuracy',
    },
    options,
  );
}
