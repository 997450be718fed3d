import { isIob } from '@ostinato/metrics';
import type { Tokenizer } from '@ostinato/tokenizers';
import { crossEntropy, type FitEvent } from '@ostinato/training';
import { padRows, rowsTensor } from '../shared/token-rows.ts';
import { type TokenRunOptions, type TokenTrainingOptions, trainTokenModel } from '../shared/token-training.ts';
import { checkVocabulary } from '../shared/vocabulary.ts';
import { encodeSentences, type TaggedSentence } from './data.ts';
import { evaluateEncoded } from './evaluate.ts';
import type { SequenceTagger } from './model.ts';
import type { SequenceTaggerDescription } from './saved.ts';

/** How a sequence tagger is trained: plain JSON. */
export type SequenceTaggerTrainingOptions = TokenTrainingOptions;

/** Options of `trainSequenceTagger`. `description` is that of `describeSequenceTagger`. */
export interface TrainSequenceTaggerOptions
  extends SequenceTaggerTrainingOptions,
    TokenRunOptions<SequenceTaggerDescription> {
  readonly model: SequenceTagger;
  readonly tokenizer: Tokenizer;
  readonly sentences: readonly TaggedSentence[];
  /** Held-out sentences, measured after every epoch. */
  readonly validation?: readonly TaggedSentence[] | undefined;
}

const where = 'trainSequenceTagger';

/**
 * Trains a sequence tagger, step by step, as its caller asks for events: see `fit` of `@ostinato/training`. The loss is the mean over the
 * words of a batch. Validation events have the metrics `validationLoss` (nats), `accuracy` and, where the tags are IOB2's, `spanF1`,
 * measured with the averages of the weights where there are any.
 *
 * When the run stops the model has the weights of the best validation (highest span F1, or accuracy); without validation the
 * averages, or the last. All randomness follows from `seed` and the number of the step.
 *
 * @throws ArgumentError when an option or a sentence does not fit; FormatError or ShapeError when `resume` is of another model
 */
export async function* trainSequenceTagger(options: TrainSequenceTaggerOptions): AsyncGenerator<FitEvent, void> {
  const { model, tokenizer, sentences, validation = [], labelSmoothing, signal } = options;
  checkVocabulary(where, tokenizer, model.config.vocabularySize);
  const { labels } = model.config;
  const { rows, classes } = encodeSentences(where, sentences, { tokenizer, labels });
  const held = encodeSentences(where, validation, { tokenizer, labels });
  const validate = async (): Promise<Record<string, number>> => {
    const { nats, accuracy, spans } = await evaluateEncoded(model, held, { batchSize: 64, signal });
    return { validationLoss: nats, accuracy, ...(spans ? { spanF1: spans.f1 } : {}) };
  };
  yield* trainTokenModel(
    {
      where,
      model,
      rows,
      loss: (indices, rng) => {
        const batch = padRows(Array.from(indices, index => rows[index]!));
        const targets = padRows(
          Array.from(indices, index => classes[index]!),
          -1,
        );
        const logits = model.call(rowsTensor(batch), { lengths: batch.lengths, training: true, rng }); // [B, T, labels]
        return crossEntropy({ logits, labels: rowsTensor(targets) }, { labelSmoothing, ignoreIndex: -1 });
      },
      validate: held.rows.length > 0 ? validate : undefined,
      metric: isIob(labels) ? 'spanF1' : 'accuracy',
    },
    options,
  );
}
