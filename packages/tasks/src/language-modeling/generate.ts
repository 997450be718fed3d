import { ArgumentError, checkNumber, disposeState, type Rng, type State } from '@ostinato/core';
import { type GeneratedToken, generateBatch, type SamplingOptions } from '@ostinato/decoding';
import type { Tokenizer } from '@ostinato/tokenizers';
import * as tf from '@tensorflow/tfjs-core';
import type { AnyLanguageModel } from './transformer.ts';

/** Options of `generateText`. */
export interface GenerateTextOptions extends SamplingOptions {
  readonly model: AnyLanguageModel;
  readonly tokenizer: Tokenizer;
  /** Texts to go on with, each of at least one token. They are read together. */
  readonly prompts: readonly string[];
  /** Most tokens behind a prompt. Default 1000. */
  readonly maximumTokens?: number | undefined;
  /** Texts that end a continuation, and are not in it. Default: none. */
  readonly stop?: readonly string[] | undefined;
  /** Needed unless the temperature is 0; row b draws from `rng.split(b)`. */
  readonly rng?: Rng | undefined;
  /** What is otherwise in each row: an entry for each prompt, see `generateBatch`. Its `stop` takes the place of the others'. */
  readonly rows?: readonly TextRowOverrides[] | undefined;
  /** Ends the loop at the next token. */
  readonly signal?: AbortSignal | undefined;
}

/** What may be otherwise in one row: an option that is not given is that of all. */
export interface TextRowOverrides extends SamplingOptions {
  readonly maximumTokens?: number | undefined;
  readonly stop?: readonly string[] | undefined;
  /** What this row draws from, itself. */
  readonly rng?: Rng | undefined;
  /** Ends this row alone, without a last piece. */
  readonly signal?: AbortSignal | undefined;
}

/** A piece of generated text. */
export interface TextPiece {
  /** Which prompt it continues. */
  readonly row: number;
  /** The pieces of a row joined are its text. */
  readonly text: string;
  /** With the last piece of a row, why it is the last; otherwise null. */
  readonly finished: GeneratedToken['finished'];
}

/**
 * Continues texts with a language model, piece by piece: rows come as they are drawn.
 *
 * @throws ArgumentError when a prompt has no token or an option is out of range; the tokenizer's error when a prompt has
 * characters outside the vocabulary
 */
export async function* generateText({
  model,
  tokenizer,
  prompts,
  maximumTokens = 1000,
  stop = [],
  rows,
  signal,
  ...sampling
}: GenerateTextOptions): AsyncGenerator<TextPiece, void, undefined> {
  checkNumber('generateText', 'maximumTokens', maximumTokens, { integer: true, min: 1 });
  if (!Array.isArray(prompts)) {
    const rule = 'prompts must be an array of texts';
    throw new ArgumentError({ where: 'generateText', rule, got: typeof prompts, advice: 'Write `prompts: [prompt]`.' });
  }
  const encoded = prompts.map(prompt => tokenizer.encode(prompt));
  const empty = encoded.findIndex(ids => ids.length === 0);
  if (empty >= 0 || encoded.length === 0) {
    throw new ArgumentError({
      where: 'generateText',
      rule: 'every prompt must have a token to begin with',
      got: JSON.stringify(prompts[empty] ?? prompts),
    });
  }
  const initialState = model.initialState(prompts.length);
  try {
    const tokens = generateBatch<State>({
      ...sampling,
      prompts: encoded,
      maximumTokens,
      stopStrings: stop,
      rows: rows?.map(({ stop: own, ...row }) => ({ ...row, stopStrings: own })),
      decode: ids => tokenizer.decode(ids),
      initialState,
      step: (ids, state) => model.step(tf.tensor1d(ids, 'int32'), state),
    });
    for await (const { row, text, finished } of tokens) {
      if (signal?.aborted) return;
      if (text !== '' || finished !== null) yield { row, text, finished };
    }
  } finally {
    disposeState(initialState);
  }
}
