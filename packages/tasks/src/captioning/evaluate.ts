import { ArgumentError, NonFiniteError, yieldToEvents } from '@ostinato/core';
import { type BleuScore, corpusBleu, corpusChrf, corpusCider } from '@ostinato/metrics';
import type { Tokenizer } from '@ostinato/tokenizers';
import { crossEntropy } from '@ostinato/training';
import * as tf from '@tensorflow/tfjs-core';
import { type Caption, type CaptionSearchOptions, caption } from './caption.ts';
import {
  batchOf,
  type CaptionedPicture,
  captionTensors,
  checkTokenizer,
  checkValues,
  encodeCaptions,
} from './examples.ts';
import type { Captioner } from './model.ts';

/** How good captions are, against all that is said of each picture, in lower case. */
export interface CaptionScores {
  readonly bleu: BleuScore;
  readonly chrf: number;
  /** CIDEr-D: see `corpusCider` of `@ostinato/metrics`. */
  readonly cider: number;
}

/** Options of `evaluate`. */
export interface EvaluateCaptionerOptions extends CaptionSearchOptions {
  readonly model: Captioner;
  readonly tokenizer: Tokenizer;
  readonly examples: readonly CaptionedPicture[];
}

/** How well a model says what pictures show. */
export interface CaptionerEvaluation extends CaptionScores {
  /** Mean negative log-likelihood per token of the known captions, their ends included. */
  readonly nats: number;
  readonly captions: readonly Caption[];
}

/**
 * Captions pictures and compares with what is said of them.
 *
 * @throws ArgumentError when there is no example or a picture has another size than the model reads; NonFiniteError when the loss is not
 *   finite
 */
export async function evaluate(options: EvaluateCaptionerOptions): Promise<CaptionerEvaluation> {
  const { model, tokenizer, examples, ...search } = options;
  const { nats } = await captionLoss(options);
  const captions = await caption({ ...search, model, tokenizer, pictures: examples.map(({ values }) => values) });
  const scores = scoreCaptions(
    captions.map(({ text }) => text),
    examples.map(example => example.captions),
  );
  return { ...scores, nats, captions };
}

/**
 * Scores captions, of a model or of anything else.
 *
 * @param references all captions of each picture
 * @throws MetricError when there is none, or a picture has no reference
 */
export function scoreCaptions(captions: readonly string[], references: readonly (readonly string[])[]): CaptionScores {
  const words = (text: string): string =>
    text
      .toLowerCase()
      .replaceAll(/([.,!?;:()])/g, ' $1 ')
      .trim();
  return {
    bleu: corpusBleu(captions, references, { lowercase: true }),
    chrf: corpusChrf(captions, references, { lowercase: true }).score,
    cider: corpusCider(
      captions.map(words),
      references.map(texts => texts.map(words)),
    ).score,
  };
}

/** Mean loss per token of known captions. */
export async function captionLoss({
  model,
  tokenizer,
  examples,
  signal,
  batchSize = 32,
}: Pick<EvaluateCaptionerOptions, 'model' | 'tokenizer' | 'examples' | 'signal' | 'batchSize'>): Promise<{
  readonly nats: number;
  readonly tokens: number;
}> {
  const where = 'evaluate';
  checkTokenizer(where, tokenizer, model);
  if (examples.length === 0)
    throw new ArgumentError({ where, rule: 'there must be at least one example', got: 'none' });
  checkValues(
    where,
    examples.map(({ values }) => values),
    model,
  );
  const all = examples.flatMap(({ values, captions }) =>
    encodeCaptions(tokenizer, captions).map(ids => ({ values, ids })),
  );
  let [sum, tokens] = [0, 0];
  for (let first = 0; first < all.length; first += batchSize) {
    await yieldToEvents(signal);
    const part = all.slice(first, first + batchSize);
    const loss = tf.tidy(() => {
      const { target, labels, tokens: counted } = captionTensors(part.map(({ ids }) => ids));
      tokens += counted;
      const pictures = batchOf(
        part.map(({ values }) => values),
        model,
      );
      const logits = model.call({ pictures, target });
      return crossEntropy({ logits, labels }, { ignoreIndex: -1, reduction: 'sum' });
    });
    sum += (await loss.data())[0]!;
    loss.dispose();
  }
  const nats = sum / tokens;
  if (Number.isFinite(nats)) return { nats, tokens };
  throw new NonFiniteError({ where, rule: 'the loss must be finite', got: `a mean of ${nats}` });
}
