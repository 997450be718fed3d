import { checkNumber, NonFiniteError, yieldToEvents } from '@ostinato/core';
import { LengthBatches } from '@ostinato/data';
import { type BleuOptions, type BleuScore, corpusBleu } from '@ostinato/metrics';
import { crossEntropy } from '@ostinato/training';
import * as tf from '@tensorflow/tfjs-core';
import { type EncodedPairs, encodePairs, pairTensors } from './data.ts';
import type { Translator } from './model.ts';
import type { SentencePair, TranslationTokenizers } from './tokenizers.ts';
import { type SearchOptions, type Translation, translate } from './translate.ts';

/** Options of `evaluate`. */
export interface EvaluateOptions extends SearchOptions {
  readonly model: Translator;
  readonly tokenizers: TranslationTokenizers;
  readonly pairs: readonly SentencePair[];
  /** How translations are scored. Default: sacreBLEU's. */
  readonly bleu?: BleuOptions | undefined;
}

/** How well a model translates. */
export interface TranslationEvaluation {
  /** Of all translations against the targets, with signature. */
  readonly bleu: BleuScore;
  /** Mean negative log-likelihood per token of the targets, their ends included. */
  readonly nats: number;
  /** Tokens of the targets. */
  readonly tokens: number;
  readonly translations: readonly Translation[];
}

/**
 * Translates and compares with what was to be said.
 *
 * @throws ArgumentError when there is no pair or the tokenizers are not the model's; NonFiniteError when the loss is not finite
 */
export async function evaluate({
  model,
  tokenizers,
  pairs,
  bleu,
  ...search
}: EvaluateOptions): Promise<TranslationEvaluation> {
  const encoded = encodePairs('evaluate', pairs, { tokenizers, config: model.config });
  const { nats, tokens } = await targetLoss(model, encoded, { signal: search.signal });
  const texts = pairs.map(({ source }) => source);
  const translations = await translate({ ...search, model, tokenizers, texts });
  const references = pairs.map(({ target }) => target);
  return {
    bleu: corpusBleu(
      translations.map(({ text }) => text),
      references,
      bleu,
    ),
    ...{ nats, tokens, translations },
  };
}

/** Mean loss per token of known targets. */
export async function targetLoss(
  model: Translator,
  encoded: EncodedPairs,
  { batchTokens = 4000, signal }: { readonly batchTokens?: number; readonly signal?: AbortSignal | undefined } = {},
): Promise<{ readonly nats: number; readonly tokens: number }> {
  checkNumber('evaluate', 'batchTokens', batchTokens, { integer: true, min: 1 });
  const lengths = [encoded.sources, encoded.targets].map(side => side.map(({ length }) => length));
  const longest = lengths[0]!.reduce((most, length, i) => Math.max(most, length + lengths[1]![i]!), batchTokens);
  let [sum, tokens] = [0, 0];
  for (const batch of new LengthBatches({ lengths, maximumTokens: longest })) {
    await yieldToEvents(signal);
    const loss = tf.tidy(() => {
      const { source, sourceLengths, target, labels, tokens: counted } = pairTensors(encoded, batch);
      tokens += counted;
      const logits = model.call({ source, target }, { sourceLengths });
      return crossEntropy({ logits, labels }, { ignoreIndex: -1, reduction: 'sum' });
    });
    sum += (await loss.data())[0]!;
    loss.dispose();
  }
  const nats = sum / tokens;
  if (Number.isFinite(nats)) return { nats, tokens };
  throw new NonFiniteError({ where: 'evaluate', rule: 'the loss must be finite', got: `a mean of ${nats}` });
}
