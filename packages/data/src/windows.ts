import { checkNumber, Rng } from '@ostinato/core';
import { shuffledOrder } from './shuffle.ts';
import {
  type BatchSource,
  checkEnough,
  checkState,
  checkWindows,
  gatherWindows,
  type TokenArray,
  type WindowBatch,
} from './source.ts';

const largest = Number.MAX_SAFE_INTEGER;

/** Options of `RandomWindows`. */
export interface RandomWindowsOptions {
  readonly tokens: TokenArray;
  /** Windows per batch. */
  readonly batchSize: number;
  /** Tokens per window. */
  readonly windowLength: number;
  readonly seed: number;
}

/** State of `RandomWindows`. */
export interface RandomWindowsState {
  readonly seed: number;
  /** How many batches have been taken. */
  readonly position: number;
  /** Number of tokens. */
  readonly length: number;
  readonly batchSize: number;
  readonly windowLength: number;
}

/**
 * Windows that start anywhere, drawn uniformly and independently, without end: every token but the first few and the last few
 * is as likely as another, and there are no epochs. Batch i is a pure function of seed and i.
 */
export class RandomWindows implements BatchSource<WindowBatch, RandomWindowsState> {
  readonly batchesPerEpoch: number = Infinity;
  readonly batchSize: number;
  readonly windowLength: number;
  readonly #tokens: TokenArray;
  #seed: number;
  #position = 0;

  /** @throws ArgumentError when a size is no integer ≥ 1 or there are fewer than windowLength + 1 tokens */
  constructor({ tokens, batchSize, windowLength, seed }: RandomWindowsOptions) {
    const where = 'RandomWindows';
    checkWindows(where, tokens, { batchSize, windowLength });
    checkNumber(where, 'seed', seed, { integer: true, min: 0, max: largest });
    checkEnough(where, tokens, windowLength + 1, `one window of ${windowLength} and its last target`);
    this.#tokens = tokens;
    this.batchSize = batchSize;
    this.windowLength = windowLength;
    this.#seed = seed;
  }

  next(): IteratorResult<WindowBatch, undefined> {
    const rng = new Rng(this.#seed).split('windows').split(this.#position++);
    const places = this.#tokens.length - this.windowLength;
    const starts = Uint32Array.from({ length: this.batchSize }, () => rng.integer(places));
    return { done: false, value: gatherWindows(this.#tokens, starts, this.windowLength) };
  }

  [Symbol.iterator](): this {
    return this;
  }

  state(): RandomWindowsState {
    const { batchSize, windowLength } = this;
    return { seed: this.#seed, position: this.#position, length: this.#tokens.length, batchSize, windowLength };
  }

  restore(state: RandomWindowsState): void {
    const { batchSize, windowLength } = this;
    const exact = { length: this.#tokens.length, batchSize, windowLength };
    checkState('RandomWindows.restore', state, { seed: largest, position: largest }, exact);
    this.#seed = state.seed;
    this.#position = state.position;
  }
}

/** Options of `SequentialWindows`. */
export interface SequentialWindowsOptions {
  readonly tokens: TokenArray;
  /** Windows per batch. */
  readonly batchSize: number;
  /** Tokens per window. */
  readonly windowLength: number;
  /** From the start of one window to the next. Default: `windowLength`, no overlap. */
  readonly stride?: number | undefined;
  /** Shuffles the windows, anew every epoch. Default: they come in the order of the text. */
  readonly seed?: number | undefined;
  /** Leaves out a last batch of fewer windows. Default false. */
  readonly dropLast?: boolean | undefined;
}

/** State of `SequentialWindows`. */
export interface SequentialWindowsState {
  readonly seed: number | null;
  readonly epoch: number;
  /** How many windows of this epoch have been taken. */
  readonly position: number;
  /** Number of windows. */
  readonly length: number;
}

/**
 * Every window once an epoch: those that start at 0, stride, 2·stride … and are whole. Tokens behind the last whole window
 * are not used. The last batch may have fewer rows.
 */
export class SequentialWindows implements BatchSource<WindowBatch, SequentialWindowsState> {
  readonly batchesPerEpoch: number;
  readonly batchSize: number;
  readonly windowLength: number;
  readonly stride: number;
  readonly #tokens: TokenArray;
  /** Windows there are, and how many of them an epoch takes. */
  readonly #windows: number;
  readonly #used: number;
  #seed: number | null;
  #epoch = 0;
  #position = 0;
  #order: Uint32Array | undefined;

  /** @throws ArgumentError when a size is no integer ≥ 1 or there are too few tokens for one window, or with `dropLast` one batch */
  constructor({
    tokens,
    batchSize,
    windowLength,
    stride = windowLength,
    seed,
    dropLast = false,
  }: SequentialWindowsOptions) {
    const where = 'SequentialWindows';
    checkWindows(where, tokens, { batchSize, windowLength });
    checkNumber(where, 'stride', stride, { integer: true, min: 1 });
    if (seed !== undefined) checkNumber(where, 'seed', seed, { integer: true, min: 0, max: largest });
    const rows = dropLast ? batchSize : 1;
    const needed = (rows - 1) * stride + windowLength + 1;
    checkEnough(
      where,
      tokens,
      needed,
      `${rows === 1 ? 'one window' : `${rows} windows`} of ${windowLength} and its last target`,
    );
    this.#tokens = tokens;
    this.batchSize = batchSize;
    this.windowLength = windowLength;
    this.stride = stride;
    this.#windows = Math.floor((tokens.length - 1 - windowLength) / stride) + 1;
    this.#used = dropLast ? this.#windows - (this.#windows % batchSize) : this.#windows;
    this.batchesPerEpoch = Math.ceil(this.#used / batchSize);
    this.#seed = seed ?? null;
  }

  next(): IteratorResult<WindowBatch, undefined> {
    if (this.#position >= this.#used) {
      this.#epoch++;
      this.#position = 0;
      this.#order = undefined;
      return { done: true, value: undefined };
    }
    if (this.#seed !== null) this.#order ??= shuffledOrder(this.#windows, this.#seed, this.#epoch);
    const rows = Math.min(this.batchSize, this.#used - this.#position);
    const first = this.#position;
    const starts = Array.from({ length: rows }, (_, row) => (this.#order?.[first + row] ?? first + row) * this.stride);
    this.#position += rows;
    return { done: false, value: gatherWindows(this.#tokens, starts, this.windowLength) };
  }

  [Symbol.iterator](): this {
    return this;
  }

  state(): SequentialWindowsState {
    return { seed: this.#seed, epoch: this.#epoch, position: this.#position, length: this.#windows };
  }

  restore(state: SequentialWindowsState): void {
    const where = 'SequentialWindows.restore';
    const limits = { epoch: largest, position: this.#used };
    const length = this.#windows;
    if (this.#seed === null) checkState(where, state, limits, { length, seed: null });
    else checkState(where, state, { ...limits, seed: largest }, { length });
    this.#seed = state.seed;
    this.#epoch = state.epoch;
    this.#position = state.position;
    this.#order = undefined;
  }
}
