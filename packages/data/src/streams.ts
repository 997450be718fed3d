import { ArgumentError } from '@ostinato/core';
import {
  type BatchSource,
  checkEnough,
  checkState,
  checkWindows,
  gatherWindows,
  type TokenArray,
  type WindowBatch,
} from './source.ts';

/** Options of `ContiguousStreams`. */
export interface ContiguousStreamsOptions {
  readonly tokens: TokenArray;
  /** Number of parallel streams. */
  readonly batchSize: number;
  /** Tokens per window: how far truncated back-propagation through time looks back. */
  readonly windowLength: number;
  /** Indices of the tokens that begin a document, rising. Default: the text is one document. */
  readonly documentStarts?: ArrayLike<number> | undefined;
  /** Leaves out a last window shorter than `windowLength`. Default false. */
  readonly dropLast?: boolean | undefined;
}

/** A window of every stream. */
export interface StreamBatch extends WindowBatch {
  /** uint8 [batch, time]: 1 where the recurrent state is set to zero before the step, as a document or the stream begins. */
  readonly reset: Uint8Array;
}

/** State of `ContiguousStreams`. */
export interface ContiguousStreamsState {
  readonly epoch: number;
  /** How many steps of every stream have been taken. */
  readonly position: number;
  readonly batchSize: number;
  /** Number of tokens. */
  readonly length: number;
}

/**
 * The text as B parallel streams, read in consecutive windows, for truncated back-propagation through time: row b of a window
 * goes on where row b of the window before ended, so the recurrent state can be carried over.
 *
 * Of N tokens, each stream has S = ⌊(N−1)/B⌋ steps: stream b reads tokens bS … bS+S−1 and predicts bS+1 … bS+S. At most
 * B−1 tokens at the end of the text are not used. Of ⌈S/windowLength⌉ windows the last may be shorter, in all rows alike.
 *
 * `reset[b, t] = 1` where a document begins, and at the first step of every stream.
 */
export class ContiguousStreams implements BatchSource<StreamBatch, ContiguousStreamsState> {
  readonly batchesPerEpoch: number;
  readonly batchSize: number;
  readonly windowLength: number;
  readonly #tokens: TokenArray;
  /** uint8 [tokens]: 1 where a document begins. */
  readonly #begins: Uint8Array;
  /** S, and how many of its steps an epoch takes. */
  readonly #streamLength: number;
  readonly #used: number;
  #epoch = 0;
  #position = 0;

  /**
   * @throws ArgumentError when a size is no integer ≥ 1, when there are fewer than batchSize · windowLength + 1 tokens, or
   * when `documentStarts` do not rise or lie outside the text
   */
  constructor({ tokens, batchSize, windowLength, documentStarts = [], dropLast = false }: ContiguousStreamsOptions) {
    const where = 'ContiguousStreams';
    checkWindows(where, tokens, { batchSize, windowLength });
    const streams = batchSize === 1 ? 'one stream' : `${batchSize} streams`;
    checkEnough(
      where,
      tokens,
      batchSize * windowLength + 1,
      `${streams} of one window of ${windowLength}, and the last target`,
    );
    this.#tokens = tokens;
    this.batchSize = batchSize;
    this.windowLength = windowLength;
    this.#begins = markStarts(where, documentStarts, tokens.length);
    this.#streamLength = Math.floor((tokens.length - 1) / batchSize);
    this.#used = dropLast ? this.#streamLength - (this.#streamLength % windowLength) : this.#streamLength;
    this.batchesPerEpoch = Math.ceil(this.#used / windowLength);
  }

  next(): IteratorResult<StreamBatch, undefined> {
    const position = this.#position;
    if (position >= this.#used) {
      this.#epoch++;
      this.#position = 0;
      return { done: true, value: undefined };
    }
    const time = Math.min(this.windowLength, this.#used - position);
    const starts = Array.from({ length: this.batchSize }, (_, row) => row * this.#streamLength + position);
    const reset = new Uint8Array(this.batchSize * time); // [B, T]
    for (const [row, start] of starts.entries()) {
      reset.set(this.#begins.subarray(start, start + time), row * time);
      if (position === 0) reset[row * time] = 1;
    }
    this.#position += time;
    return { done: false, value: { ...gatherWindows(this.#tokens, starts, time), reset } };
  }

  [Symbol.iterator](): this {
    return this;
  }

  state(): ContiguousStreamsState {
    const { batchSize } = this;
    return { epoch: this.#epoch, position: this.#position, batchSize, length: this.#tokens.length };
  }

  restore(state: ContiguousStreamsState): void {
    const { batchSize } = this;
    const limits = { epoch: Number.MAX_SAFE_INTEGER, position: this.#used };
    checkState('ContiguousStreams.restore', state, limits, { batchSize, length: this.#tokens.length });
    this.#epoch = state.epoch;
    this.#position = state.position;
  }
}

function markStarts(where: string, documentStarts: ArrayLike<number>, length: number): Uint8Array {
  const begins = new Uint8Array(length);
  for (let i = 0; i < documentStarts.length; i++) {
    const start = documentStarts[i]!;
    const least = i === 0 ? 0 : documentStarts[i - 1]! + 1;
    if (!Number.isInteger(start) || start < least || start >= length) {
      throw new ArgumentError({
        where,
        rule: 'documentStarts must be rising indices of tokens',
        expected: `documentStarts[${i}] in ${least} … ${length - 1}`,
        got: String(start),
      });
    }
    begins[start] = 1;
  }
  return begins;
}
