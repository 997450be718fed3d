import { ArgumentError, checkNumber, disposeState, NonFiniteError, type State } from '@ostinato/core';
import { crossEntropy } from '@ostinato/training';
import * as tf from '@tensorflow/tfjs-core';
import { bitsPerCharacter, perplexity } from '../metrics.ts';
import type { LanguageModel } from './model.ts';

/** Options of `evaluate`. */
export interface EvaluateOptions {
  /**
   * The text is cut into this many equal pieces that are read side by side, each from a zero state. Default 1, which is
   * exact: the state is carried over the whole text. More is faster, and slightly pessimistic at the starts.
   */
  readonly streams?: number | undefined;
  /** Tokens read at once; the result does not depend on it. Default 200. */
  readonly windowLength?: number | undefined;
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
 * Reads a text with carried state and measures how well each token was predicted from all before it: −(1/N) Σ log p(xₜ|x₍<t₎).
 *
 * @param ids the tokens of the text, at least 2
 * @throws ArgumentError when the text is too short; NonFiniteError when the model gives NaN or infinite losses
 */
export async function evaluate(
  model: LanguageModel,
  ids: Int32Array,
  options: EvaluateOptions & { readonly characters: number },
): Promise<CharacterEvaluation>;
/** Without `characters`, bits per character are unknown. */
export async function evaluate(model: LanguageModel, ids: Int32Array, options?: EvaluateOptions): Promise<Evaluation>;
export async function evaluate(
  model: LanguageModel,
  ids: Int32Array,
  { streams = 1, windowLength = 200, characters, signal }: EvaluateOptions = {},
): Promise<Evaluation> {
  const where = 'evaluate';
  checkNumber(where, 'streams', streams, { integer: true, min: 1 });
  checkNumber(where, 'windowLength', windowLength, { integer: true, min: 1 });
  if (characters !== undefined) checkNumber(where, 'characters', characters, { integer: true, min: 1 });
  const tokens = ids.length - 1;
  if (tokens < 1) {
    throw new ArgumentError({ where, rule: 'the text must have at least 2 tokens', got: String(ids.length) });
  }
  const rows = Math.min(streams, tokens);
  const perRow = Math.ceil(tokens / rows);
  let state: State = model.initialState(rows);
  let sum = 0;
  try {
    for (let start = 0; start < perRow; start += windowLength) {
      signal?.throwIfAborted();
      const { inputs, labels, time } = windowOf(ids, { rows, perRow, start, windowLength });
      const previous = state;
      const result = tf.tidy(() => {
        const called = model.call(tf.tensor2d(inputs, [rows, time], 'int32'), { state: previous });
        const targets = tf.tensor2d(labels, [rows, time], 'int32');
        const losses = crossEntropy({ logits: called.logits, labels: targets }, { ignoreIndex: -1, reduction: 'none' });
        return { losses, state: called.state } as unknown as tf.TensorContainer;
      }) as unknown as { losses: tf.Tensor; state: State };
      disposeState(previous);
      state = result.state;
      for (const loss of await result.losses.data()) sum += loss; // in float64
      result.losses.dispose();
    }
  } finally {
    disposeState(state);
  }
  const nats = sum / tokens;
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
