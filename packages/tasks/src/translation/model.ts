import { type CallOptions, checkChoice, type Module, Rng, type State } from '@ostinato/core';
import type * as tf from '@tensorflow/tfjs-core';
import { type TranslatorConfig, translatorNames } from './config.ts';
import { RecurrentTranslator } from './recurrent.ts';
import { TransformerTranslator } from './transformer.ts';

/** Tokens of sentences and of what is known of their translations. */
export interface TranslatorInputs {
  /** int32 [batch, source] */
  readonly source: tf.Tensor;
  /** int32 [batch, time]: the beginning token, then the translation. */
  readonly target: tf.Tensor;
}

/** Options of `Translator.call`. */
export interface TranslatorCallOptions extends CallOptions {
  /** int32 [batch]: how many tokens of each source count. Default: all. */
  readonly sourceLengths?: tf.Tensor | undefined;
}

/** What `Translator.step` returns. The caller owns all of it. */
export interface TranslatorStep {
  /** float32 [batch, vocabulary]: unnormalised log-probabilities of the next token. */
  readonly logits: tf.Tensor;
  readonly state: State;
  /** float32 [batch, source]: where this step looked, in models that have it at hand. */
  readonly attention?: tf.Tensor | undefined;
}

/** A model that translates: sources in, logits of the target's next token out. */
export interface Translator extends Module {
  readonly config: TranslatorConfig & { readonly targetVocabularySize: number };
  /**
   * Logits of the next token at every position of a known target. What lies behind a target's end does not change what comes before.
   *
   * @returns float32 [batch, time, vocabulary]
   * @throws ShapeError when a tensor does not fit; ArgumentError when an id lies outside its vocabulary, or training has no rng
   */
  call(inputs: TranslatorInputs, options?: TranslatorCallOptions): tf.Tensor;
  /**
   * Where every position of a known target looked in the source: of each layer float32 [batch, heads, time, source]; rows sum to 1.
   * The caller owns them.
   */
  attention(
    inputs: TranslatorInputs,
    options?: { readonly sourceLengths?: tf.Tensor | undefined },
  ): readonly tf.Tensor[];
  /**
   * The state before the first token: the encoded sources, [batch, …] each. The caller disposes it (`disposeState`).
   *
   * @param options.maximumTime most tokens that will be asked for
   */
  initialState(
    source: tf.Tensor,
    options: { readonly maximumTime: number; readonly sourceLengths?: tf.Tensor | undefined },
  ): State;
  /** One token further: ids int32 [batch]. */
  step(ids: tf.Tensor, state: State): TranslatorStep;
  /** Whether the tensor at a path of the state belongs to the source: see `isFixed` of `beamSearch`. */
  isFixed(path: string): boolean;
}

/** A translator of the architecture that its configuration names, with random weights. */
export function createTranslator({
  rng = new Rng(0),
  ...config
}: TranslatorConfig & { readonly rng?: Rng }): Translator {
  const { architecture = 'transformer' } = config;
  checkChoice('createTranslator', 'architecture', architecture, translatorNames);
  return config.architecture === 'recurrent'
    ? new RecurrentTranslator({ ...config, rng })
    : new TransformerTranslator({ ...config, rng });
}
