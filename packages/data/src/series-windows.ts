import { ArgumentError, checkNumber } from '@ostinato/core';
import { checkSeries, type Series, type TimeRange } from './series.ts';
import { shuffledOrder } from './shuffle.ts';
import { type BatchSource, checkState } from './source.ts';

const largest = Number.MAX_SAFE_INTEGER;

/** Options of `SeriesWindows`. */
export interface SeriesWindowsOptions {
  readonly series: Series;
  /** L, rows that are read. */
  readonly inputLength: number;
  /** H, rows behind them that are to be told. */
  readonly horizon: number;
  /** Windows per batch. */
  readonly batchSize: number;
  /** From one window to the next. Default 1. */
  readonly stride?: number | undefined;
  /**
   * The part of the series that targets are taken from, such as one of `splitSeries`. Inputs may reach back before it, into what is
   * past by then. Default: all.
   */
  readonly range?: TimeRange | undefined;
  /** Shuffles the windows, anew every epoch. Default: they come in the order of time. */
  readonly seed?: number | undefined;
  /** Leaves out a last batch of fewer windows. Default false. */
  readonly dropLast?: boolean | undefined;
}

/** Windows of a series, and what follows each. */
export interface SeriesBatch {
  /** float64 [batch, inputLength, features], row-major. */
  readonly inputs: Float64Array;
  /** float64 [batch, horizon, features]: the rows right behind each window. */
  readonly targets: Float64Array;
  readonly inputShape: [batch: number, inputLength: number, features: number];
  readonly targetShape: [batch: number, horizon: number, features: number];
  /** int32 [batch]: the row of the series at which each window's targets begin. */
  readonly origins: Int32Array;
}

/** State of `SeriesWindows`. */
export interface SeriesWindowsState {
  readonly seed: number | null;
  readonly epoch: number;
  /** How many windows of this epoch have been taken. */
  readonly position: number;
  /** Number of windows. */
  readonly length: number;
  readonly inputLength: number;
  readonly horizon: number;
}

/**
 * Every window of a series once an epoch: L rows to read and the H rows behind them. All H lie inside `range`, so that windows of the
 * training part know nothing of validation and test.
 */
export class SeriesWindows implements BatchSource<SeriesBatch, SeriesWindowsState> {
  readonly batchesPerEpoch: number;
  readonly batchSize: number;
  readonly inputLength: number;
  readonly horizon: number;
  readonly stride: number;
  /** Number of windows in an epoch, those of a batch that `dropLast` leaves out included. */
  readonly length: number;
  readonly #series: Series;
  /** Row at which the targets of window 0 begin. */
  readonly #first: number;
  readonly #used: number;
  #seed: number | null;
  #epoch = 0;
  #position = 0;
  #order: Uint32Array | undefined;

  /** @throws ArgumentError when a size does not fit, a value is not finite, or there are too few rows for a window, or with `dropLast` a batch */
  constructor({
    series,
    inputLength,
    horizon,
    batchSize,
    stride = 1,
    range = { from: 0, to: series.shape[0] },
    seed,
    dropLast = false,
  }: SeriesWindowsOptions) {
    const where = 'SeriesWindows';
    checkSeries(where, series);
    for (const [name, value] of Object.entries({ inputLength, horizon, batchSize, stride })) {
      checkNumber(where, name, value, { integer: true, min: 1 });
    }
    checkNumber(where, 'range.to', range.to, { integer: true, min: 0, max: series.shape[0] });
    checkNumber(where, 'range.from', range.from, { integer: true, min: 0, max: range.to });
    if (seed !== undefined) checkNumber(where, 'seed', seed, { integer: true, min: 0, max: largest });
    this.#series = series;
    this.#first = Math.max(range.from, inputLength);
    const needed = dropLast ? batchSize : 1;
    this.length = Math.max(0, Math.floor((range.to - horizon - this.#first) / stride) + 1);
    if (this.length < needed) {
      const windows = needed === 1 ? 'one window' : `${needed} windows`;
      const past = range.from >= inputLength ? `${horizon}` : `${inputLength} + ${horizon}`;
      throw new ArgumentError({
        where,
        rule: `too few rows for ${windows} of inputLength ${inputLength} and horizon ${horizon}`,
        expected: `at least ${this.#first + (needed - 1) * stride + horizon} (${past}${needed > 1 ? ' and strides' : ''})`,
        got: `rows ${range.from} … ${range.to - 1} of ${series.shape[0]}`,
        advice: 'Use more data or smaller sizes.',
      });
    }
    this.inputLength = inputLength;
    this.horizon = horizon;
    this.batchSize = batchSize;
    this.stride = stride;
    this.#used = dropLast ? this.length - (this.length % batchSize) : this.length;
    this.batchesPerEpoch = Math.ceil(this.#used / batchSize);
    this.#seed = seed ?? null;
  }

  next(): IteratorResult<SeriesBatch, undefined> {
    if (this.#position >= this.#used) {
      this.#epoch++;
      this.#position = 0;
      this.#order = undefined;
      return { done: true, value: undefined };
    }
    if (this.#seed !== null) this.#order ??= shuffledOrder(this.length, this.#seed, this.#epoch);
    const rows = Math.min(this.batchSize, this.#used - this.#position);
    const first = this.#position;
    const origins = Int32Array.from(
      { length: rows },
      (_, row) => this.#first + (this.#order?.[first + row] ?? first + row) * this.stride,
    );
    this.#position += rows;
    return { done: false, value: this.#gather(origins) };
  }

  [Symbol.iterator](): this {
    return this;
  }

  #gather(origins: Int32Array): SeriesBatch {
    const { inputLength, horizon } = this;
    const { values, shape } = this.#series;
    const features = shape[1];
    const inputs = new Float64Array(origins.length * inputLength * features); // [B, L, F]
    const targets = new Float64Array(origins.length * horizon * features); // [B, H, F]
    for (const [row, origin] of origins.entries()) {
      inputs.set(values.subarray((origin - inputLength) * features, origin * features), row * inputLength * features);
      targets.set(values.subarray(origin * features, (origin + horizon) * features), row * horizon * features);
    }
    const batch = origins.length;
    return {
      inputs,
      targets,
      inputShape: [batch, inputLength, features],
      targetShape: [batch, horizon, features],
      origins,
    };
  }

  state(): SeriesWindowsState {
    const { length, inputLength, horizon } = this;
    return { seed: this.#seed, epoch: this.#epoch, position: this.#position, length, inputLength, horizon };
  }

  restore(state: SeriesWindowsState): void {
    const where = 'SeriesWindows.restore';
    const limits = { epoch: largest, position: this.#used };
    const { length, inputLength, horizon } = this;
    const exact = { length, inputLength, horizon };
    if (this.#seed === null) checkState(where, state, limits, { ...exact, seed: null });
    else checkState(where, state, { ...limits, seed: largest }, exact);
    this.#seed = state.seed;
    this.#epoch = state.epoch;
    this.#position = state.position;
    this.#order = undefined;
  }
}
