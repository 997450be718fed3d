import { ArgumentError, checkNumber, disposeState, NonFiniteError, type State, yieldToEvents } from '@ostinato/core';
import { crossEntropy } from '@ostinato/training';
import * as tf from '@tensorflow/tfjs-core';
import { bitsPerCharacter, perplexity } from '../metrics.ts';
import { tidyState } from '../shared/tidy.ts';
import type { AnyLanguageModel } from './transformer.ts';

const where = 'evaluate';

/** Tokens in the windows of a GPT that are read together. */
const windowTokens = 4096;

/** Options of `evaluate`. */
export interface EvaluateOptions {
  /**
   * The text is cut into this many equal pieces that are read side by side, each from a zero state. Default 1, which is
   * exact: the state is carried over the whole text. More is faster, and slightly pessimistic at the starts.
   */
  readonly streams?: number | undefined;
  /** Tokens read at once; the result does not depend on it. Default 200. For a GPT see `stride`. */
  readonly windowLength?: number | undefined;
  /**
   * Of a GPT, in place of both above: tokens from one window of contextLength to the next. Of each window only those count that the
   * one before did not have, each with contextLength − stride tokens before it or more. Default contextLength: blocks side by side, as
   * they come in training. Smaller is better and slower; 1 gives every token all the context that there can be.
   */
  readonly stride?: number | undefined;
  /** Characters that were predicted, for bits per character: all but the first when tokens are characters, `ids.length − 1`. */
  readonly characters?: number | undefined;
  /** Stops between windows: the rejection is the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** How well a model predicts a text. */
export interface Evaluation {
  /** Mean negative log-likelihood per token. */
  readonly nats: number;
  /** nats / ln 2 · tokens / characters; absent when `characters` is not given, for tokens need not be characters. */
  readonly bitsPerCharacter?: number | undefined;
  /** exp(nats), per token. */
  readonly perplexity: number;
  /** Tokens that were predicted: all but the first. */
  readonly tokens: number;
}

/** What `evaluate` measures when it knows how many characters the text has. */
export interface CharacterEvaluation extends Evaluation {
  readonly bitsPerCharacter: number;
}

/**
 * Reads a text and measures how well each token was predicted from those before it: −(1/N) Σ log p(xₜ|x₍<t₎). Recurrent models carry
 * their state over the whole text, a GPT reads window after window: see `stride`.
 *
 * @param ids the tokens of the text, at least 2
 * @throws ArgumentError when the text is too short; NonFiniteError when the model gives NaN or infinite losses
 */
export async function evaluate(
  model: AnyLanguageModel,
  ids: Int32Array,
  options: EvaluateOptions & { readonly characters: number },
): Promise<CharacterEvaluation>;
/** Without `characters`, bits per character are unknown. */
export async function evaluate(
  model: AnyLanguageModel,
  ids: Int32Array,
  options?: EvaluateOptions,
): Promise<Evaluation>;
export async function evaluate(
  model: AnyLanguageModel,
  ids: Int32Array,
  options: EvaluateOptions = {},
): Promise<Evaluation> {
  const { characters } = options;
  if (characters !== undefined) checkNumber(where, 'characters', characters, { integer: true, min: 1 });
  const tokens = ids.length - 1;
  if (tokens < 1) {
    throw new ArgumentError({ where, rule: 'the text must have at least 2 tokens', got: String(ids.length) });
  }
  const endless = model.contextLength === Infinity;
  const nats = (endless ? await carriedLoss(model, ids, options) : await slidingLoss(model, ids, options)) / tokens;
  if (!Number.isFinite(nats)) {
    throw new NonFiniteError({ where, rule: 'the loss of every token must be finite', got: `a mean of ${nats}` });
  }
  return {
    nats,
    ...(characters === undefined ? {} : { bitsPerCharacter: bitsPerCharacter(nats, { tokens, characters }) }),
    perplexity: perplexity(nats),
    tokens,
  };
}

/** Sum of the losses, with the state carried from window to window. */
async function carriedLoss(
  model: AnyLanguageModel,
  ids: Int32Array,
  { streams = 1, windowLength = 200, signal }: EvaluateOptions,
): Promise<number> {
  checkNumber(where, 'streams', streams, { integer: true, min: 1 });
  checkNumber(where, 'windowLength', windowLength, { integer: true, min: 1 });
  const tokens = ids.length - 1;
  const rows = Math.min(streams, tokens);
  const perRow = Math.ceil(tokens / rows);
  let state: State = model.initialState(rows);
  let sum = 0;
  try {
    for (let start = 0; start < perRow; start += windowLength) {
      await yieldToEvents(signal);
      const { inputs, labels, time } = windowOf(ids, { rows, perRow, start, windowLength });
      const previous = state;
      const result = tidyState(() => {
        const called = model.call(tf.tensor2d(inputs, [rows, time], 'int32'), { state: previous });
        return { losses: lossesOf(called.logits, tf.tensor2d(labels, [rows, time], 'int32')), state: called.state };
      });
      disposeState(previous);
      state = result.state;
      sum += await sumOf(result.losses);
    }
  } finally {
    disposeState(state);
  }
  return sum;
}

/** Sum of the losses over windows that overlap. */
async function slidingLoss(
  model: AnyLanguageModel,
  ids: Int32Array,
  { stride = model.contextLength, signal }: EvaluateOptions,
): Promise<number> {
  const { contextLength } = model;
  checkNumber(where, 'stride', stride, { integer: true, min: 1, max: contextLength });
  const tokens = ids.length - 1;
  const time = Math.min(contextLength, tokens);
  const count = 1 + Math.ceil((tokens - time) / stride);
  const together = Math.max(1, Math.floor(windowTokens / time));
  let sum = 0;
  for (let first = 0; first < count; first += together) {
    await yieldToEvents(signal);
    const rows = Math.min(together, count - first);
    const inputs = new Int32Array(rows * time);
    const labels = new Int32Array(rows * time).fill(-1);
    for (let row = 0; row < rows; row++) {
      // The last window ends with the text, so that it too is whole.
      const start = Math.min((first + row) * stride, tokens - time);
      const counted = first + row === 0 ? 0 : (first + row - 1) * stride + time; // what earlier windows had
      inputs.set(ids.subarray(start, start + time), row * time);
      for (let t = Math.max(0, counted - start); t < time; t++) labels[row * time + t] = ids[start + t + 1]!;
    }
    const shape: [number, number] = [rows, time];
    const losses = tf.tidy(() =>
      lossesOf(model.call(tf.tensor2d(inputs, shape, 'int32')).logits, tf.tensor2d(labels, shape, 'int32')),
    );
    sum += await sumOf(losses);
  }
  return sum;
}

/** −ln p of every label, 0 for −1. */
function lossesOf(logits: tf.Tensor, labels: tf.Tensor): tf.Tensor {
  return crossEntropy({ logits, labels }, { ignoreIndex: -1, reduction: 'none' });
}

/** Sums in float64, and disposes. */
async function sumOf(losses: tf.Tensor): Promise<number> {
  let sum = 0;
  for (const loss of await losses.data()) sum += loss;
  losses.dispose();
  return sum;
}

/** Window `start` of every row; label −1 behind the end of the text. */
function windowOf(
  ids: Int32Array,
  { rows, perRow, start, windowLength }: { rows: number; perRow: number; start: number; windowLength: number },
): { inputs: Int32Array; labels: Int32Array; time: number } {
  const time = Math.min(windowLength, perRow - start);
  const inputs = new Int32Array(rows * time);
  const labels = new Int32Array(rows * time).fill(-1);
  for (let row = 0; row < rows; row++) {
    for (let t = 0; t < time; t++) {
      const position = row * perRow + start + t;
      if (position >= ids.length - 1) break;
      inputs[row * time + t] = ids[position]!;
      labels[row * time + t] = ids[position + 1]!;
    }
  }
  return { inputs, labels, time };
}
