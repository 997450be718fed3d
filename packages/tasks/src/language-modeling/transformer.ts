import { GPT } from '@ostinato/attention';
import { atPath, type CallOptions, type Complete, checkShape, Module, Rng, type State } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';
import { tidyState } from '../shared/tidy.ts';
import { completeTransformerConfig, type RecurrentLayer, type TransformerLanguageModelConfig } from './config.ts';
import { type HiddenResult, LanguageModel, type LanguageModelOptions, type LanguageModelResult } from './model.ts';

/** Options of `TransformerLanguageModel`. */
export interface TransformerLanguageModelOptions extends TransformerLanguageModelConfig {
  /** Where the first weights come from. Default `new Rng(0)`. */
  readonly rng?: Rng | undefined;
}

/** What a step carries: keys and values of the tokens that were read, and those tokens, int32 [batch, time], once there are any. */
type Cache = Parameters<GPT['step']>[1];

/**
 * A `GPT` of `@ostinato/attention` as a language model: it reads up to `contextLength` tokens at once, and writes on and on.
 */
export class TransformerLanguageModel extends Module {
  readonly config: Complete<TransformerLanguageModelConfig>;
  /** It is described by `config` alone. */
  readonly ownRecurrent: boolean = false;
  /** How many tokens it can look back. */
  readonly contextLength: number;
  readonly gpt: GPT;

  /** @throws ArgumentError when a size is not a positive integer, or heads do not divide */
  constructor({ rng = new Rng(0), ...config }: TransformerLanguageModelOptions) {
    super();
    this.config = completeTransformerConfig(config);
    const { vocabularySize, contextLength, hiddenSize: size, numLayers, numHeads, dropout, bias, tied } = this.config;
    this.contextLength = contextLength;
    const sizes = { vocabularySize, maximumTime: contextLength, size, numLayers, numHeads };
    this.gpt = new GPT({ ...sizes, dropout, bias, tied, rng: rng.split('gpt') });
  }

  /** The state before the first token, for `step`. The caller disposes it (`disposeState`). */
  initialState(batchSize: number): State {
    return { cache: this.gpt.initialState(batchSize) };
  }

  /**
   * The model up to its output layer. A window begins without a past, so the state that comes with the output is empty.
   *
   * @param ids int32 [batch, time], at most contextLength
   * @returns output float32 [batch, time, hidden]. The caller owns it.
   * @throws ShapeError when ids do not fit; ArgumentError when an id is outside the vocabulary, there are too many, or training with
   * dropout lacks an rng
   */
  hidden(ids: tf.Tensor, { training, rng }: CallOptions = {}): HiddenResult {
    return { output: atPath('gpt', () => this.gpt.hidden(ids, { training, rng })), state: {} };
  }

  /** Hidden states float32 [..., hidden] → logits float32 [..., vocabulary]. */
  project(hidden: tf.Tensor): tf.Tensor {
    return atPath('gpt', () => this.gpt.project(hidden));
  }

  /** Logits of the next token at every position, float32 [batch, time, vocabulary]. Parameters and errors are those of `hidden`. */
  call(ids: tf.Tensor, options: CallOptions = {}): LanguageModelResult {
    return tidyState(() => ({ logits: this.project(this.hidden(ids, options).output), state: {} }));
  }

  /**
   * One token further, for generation, with the keys and values of the tokens before. When the context is full, the older half of it is
   * forgotten, and the newer half read anew: from then on a token is drawn from what contextLength/2 to contextLength tokens say.
   *
   * @param ids int32 [batch]
   * @returns logits float32 [batch, vocabulary] and the next state
   * @throws ShapeError when ids or state do not fit
   */
  step(ids: tf.Tensor, state: State): LanguageModelResult {
    checkShape('LanguageModel.step', 'ids', ids, { batch: null }, 'int32');
    const { cache, recent } = state as { readonly cache: Cache; readonly recent?: tf.Tensor };
    return tidyState(() => {
      const newest = tf.expandDims(ids, 1); // [B, 1]
      const known = recent ? recent.shape[1]! : 0;
      if (known < this.contextLength) {
        const { logits, state: next } = atPath('gpt', () => this.gpt.step(ids, cache));
        return { logits, state: { cache: next, recent: recent ? tf.concat([recent, newest], 1) : newest } };
      }
      const [batch] = ids.shape as [number];
      const kept = Math.floor(this.contextLength / 2) - 1;
      const read = tf.concat([tf.slice(recent!, [0, known - kept], [batch, kept]), newest], 1); // [B, contextLength / 2]
      const { logits, state: next } = atPath('gpt', () => this.gpt.step(read, this.gpt.initialState(batch)));
      return { logits, state: { cache: next, recent: read } };
    });
  }
}

/** A language model of any architecture. */
export type AnyLanguageModel = LanguageModel | TransformerLanguageModel;

/** Options of `createLanguageModel`: those of the model that its `architecture` names. */
export type CreateLanguageModelOptions = LanguageModelOptions | TransformerLanguageModelOptions;

/** The language model that a configuration describes. @throws ArgumentError when a value lies outside what is allowed */
export function createLanguageModel(options: CreateLanguageModelOptions): AnyLanguageModel {
  return isTransformer(options) ? new TransformerLanguageModel(options) : new LanguageModel(options);
}

function isTransformer(options: CreateLanguageModelOptions): options is TransformerLanguageModelOptions {
  return options.architecture === 'gpt';
}

/** What a file says of a model, as options: `cell` is what files before `architecture` call it. */
export function savedOptions(
  saved: CreateLanguageModelOptions & { readonly cell?: unknown },
  recurrent: RecurrentLayer | undefined,
): CreateLanguageModelOptions {
  const { cell, ...config } = saved;
  const named = cell === undefined ? config : { architecture: cell, ...config };
  return { ...named, ...(recurrent ? { recurrent } : {}), rng: new Rng(0) } as CreateLanguageModelOptions;
}
