import { checkNumber, disposeState } from '@ostinato/core';
import { LengthBatches, padSequences } from '@ostinato/data';
import { type BeamSearchOptions, beamSearch, type Hypothesis, type LengthPenalty } from '@ostinato/decoding';
import * as tf from '@tensorflow/tfjs-core';
import { type AttentionMap, attentionMap } from './attention-map.ts';
import type { Translator } from './model.ts';
import { checkTokenizers, encodeSource, type TranslationTokenizers } from './tokenizers.ts';

/** How translations are searched for. */
export interface SearchOptions
  extends Pick<
    BeamSearchOptions<never>,
    'coveragePenalty' | 'earlyStopping' | 'noRepeatNgram' | 'minimumTokens' | 'groups' | 'diversity' | 'signal'
  > {
  /** Hypotheses that stay in the race; 1 is greedy. Default 5. */
  readonly beamSize?: number | undefined;
  /** Default `{ kind: 'average', alpha: 1 }`. */
  readonly lengthPenalty?: LengthPenalty | undefined;
  /** Most tokens of a translation, by the number of its source's. Default 1.5 n + 10. */
  readonly maximumTokens?: ((sourceTokens: number) => number) | undefined;
  /** Most tokens of the sources that are translated together, padding included; the result does not depend on it. Default 1000. */
  readonly batchTokens?: number | undefined;
}

/** Options of `translate`. */
export interface TranslateOptions extends SearchOptions {
  readonly model: Translator;
  readonly tokenizers: TranslationTokenizers;
  readonly texts: readonly string[];
  /** How many translations of each text, at most `beamSize`. Default 1. */
  readonly count?: number | undefined;
  /** Whether to tell where each token of the best translation looked. Default false. */
  readonly attention?: boolean | undefined;
}

/** One way to say it. */
export interface Alternative {
  readonly text: string;
  /** ln p of the whole, the end included. */
  readonly logProbability: number;
  /** What it was ranked by: the log-probability over the length penalty. */
  readonly score: number;
  /** Whether it came to its end, rather than to `maximumTokens`. */
  readonly finished: boolean;
}

/** A translation. */
export interface Translation extends Alternative {
  /** Best first, this one among them: as many as `count`, or fewer. */
  readonly alternatives: readonly Alternative[];
  /** Where the tokens of this one looked, when it was asked for. */
  readonly attention?: AttentionMap | undefined;
}

/**
 * Translates texts, in the order of the texts. Texts of about one length share batches. A blank text has a blank translation.
 *
 * The search is that of `beamSearch` of `@ostinato/decoding`, with the keys and values of all earlier steps kept. Beginning, padding and
 * unknown token are never said.
 *
 * @throws ArgumentError when the tokenizers are not the model's or an option is out of range; the signal's reason
 */
export async function translate(options: TranslateOptions): Promise<Translation[]> {
  const where = 'translate';
  const { model, tokenizers, texts, attention = false } = options;
  const { batchTokens = 1000 } = options;
  checkTokenizers(where, tokenizers, model.config);
  checkNumber(where, 'batchTokens', batchTokens, { integer: true, min: 1 });
  const found: Translation[] = texts.map(() => ({ ...nothing, alternatives: [nothing] }));
  const said = texts.flatMap((text, index) => (text.trim() === '' ? [] : [index]));
  if (said.length === 0) return found;
  const sources = said.map(index => encodeSource(tokenizers.source, texts[index]!));
  const lengths = sources.map(({ length }) => length);
  const limit = Math.max(batchTokens, ...lengths);
  for (const batch of new LengthBatches({ lengths: [lengths], maximumTokens: limit })) {
    const rows = Array.from(batch, row => sources[row]!);
    const all = await search(model, rows, options);
    for (const [i, row] of batch.entries()) {
      const alternatives = all[i]!.map(hypothesis => alternativeOf(hypothesis, tokenizers));
      found[said[row]!] = {
        ...alternatives[0]!,
        alternatives,
        ...(attention
          ? { attention: attentionMap(model, tokenizers, { source: rows[i]!, target: all[i]![0]!.tokens }) }
          : {}),
      };
    }
  }
  return found;
}

const nothing: Alternative = { text: '', logProbability: 0, score: 0, finished: true };

function alternativeOf(
  { tokens, logProbability, score, finished }: Hypothesis,
  { target }: TranslationTokenizers,
): Alternative {
  const text = target.decode(finished ? tokens.subarray(0, -1) : tokens, { skipSpecialTokens: true }).trim();
  return { text, logProbability, score, finished };
}

async function search(
  model: Translator,
  sources: readonly Int32Array[],
  { tokenizers, beamSize = 5, lengthPenalty = { kind: 'average', alpha: 1 }, count, ...options }: TranslateOptions,
): Promise<Hypothesis[][]> {
  const { maximumTokens = sourceTokens => Math.ceil(1.5 * sourceTokens + 10), signal } = options;
  const { coveragePenalty, earlyStopping, noRepeatNgram, minimumTokens, groups, diversity } = options;
  const { beginning, end } = checkTokenizers('translate', tokenizers, model.config);
  const { paddingId, unknownId } = tokenizers.target;
  const { ids, lengths, shape } = padSequences(sources);
  const most = sources.map(({ length }) => maximumTokens(length));
  const maximumTime = Math.max(...most);
  const initialState = tf.tidy(() => {
    const source = tf.tensor2d(ids, shape, 'int32');
    const state = model.initialState(source, { sourceLengths: tf.tensor1d(lengths, 'int32'), maximumTime });
    return state as unknown as tf.TensorContainer;
  }) as unknown as ReturnType<Translator['initialState']>;
  try {
    return await beamSearch({
      step: (tokens, state) => model.step(tf.tensor1d(tokens, 'int32'), state),
      initialState,
      prompts: sources.map(() => [beginning]),
      endToken: end,
      maximumTokens: most,
      suppress: [beginning, ...[paddingId, unknownId].filter(id => id !== undefined && id !== end)] as number[],
      isFixed: path => model.isFixed(path),
      ...{ beamSize, lengthPenalty, count, coveragePenalty, earlyStopping, noRepeatNgram, minimumTokens },
      ...{ groups, diversity, signal },
    });
  } finally {
    disposeState(initialState);
  }
}
