import { ArgumentError, checkNumber, FormatError, Rng } from '@ostinato/core';

/** Options of `LengthBatches`. */
export interface LengthBatchesOptions {
  /** Length of every item. */
  readonly lengths: ArrayLike<number>;
  readonly batchSize: number;
  readonly seed: number;
}

/** State of `LengthBatches`. */
export interface LengthBatchesState {
  readonly seed: number;
  readonly epoch: number;
  /** Batches of this epoch that have been taken. */
  readonly position: number;
  readonly length: number;
  readonly batchSize: number;
}

/** Batches among which items are sorted by length. */
const pool = 24;

/** Batches of items of about one length, in random order, every item once an epoch: the indices of the items. */
export class LengthBatches {
  readonly batchesPerEpoch: number;
  readonly #lengths: ArrayLike<number>;
  readonly #batchSize: number;
  #seed: number;
  #epoch = 0;
  #position = 0;
  #batches: Uint32Array[] | undefined;

  constructor({ lengths, batchSize, seed }: LengthBatchesOptions) {
    checkNumber('LengthBatches', 'batchSize', batchSize, { integer: true, min: 1 });
    if (lengths.length === 0) {
      throw new ArgumentError({ where: 'LengthBatches', rule: 'there must be at least one item', got: 'none' });
    }
    this.#lengths = lengths;
    this.#batchSize = batchSize;
    this.#seed = seed;
    this.batchesPerEpoch = Math.ceil(lengths.length / batchSize);
  }

  next(): IteratorResult<Uint32Array, undefined> {
    if (this.#position === this.batchesPerEpoch) {
      this.#epoch++;
      this.#position = 0;
      this.#batches = undefined;
      return { done: true, value: undefined };
    }
    this.#batches ??= this.#shuffle();
    return { done: false, value: this.#batches[this.#position++]! };
  }

  #shuffle(): Uint32Array[] {
    const rng = new Rng(this.#seed).split('lengths').split(this.#epoch);
    const order = rng.permutation(this.#lengths.length);
    const size = this.#batchSize;
    const batches: Uint32Array[] = [];
    for (let start = 0; start < order.length; start += pool * size) {
      const part = order.slice(start, start + pool * size);
      part.sort((a, b) => this.#lengths[a]! - this.#lengths[b]! || a - b);
      for (let first = 0; first < part.length; first += size) batches.push(part.slice(first, first + size));
    }
    return Array.from(rng.permutation(batches.length), i => batches[i]!);
  }

  state(): LengthBatchesState {
    const [length, batchSize] = [this.#lengths.length, this.#batchSize];
    return { seed: this.#seed, epoch: this.#epoch, position: this.#position, length, batchSize };
  }

  restore(state: LengthBatchesState): void {
    const present = this.state();
    if (state?.length !== present.length || state.batchSize !== present.batchSize) {
      throw new FormatError({
        where: 'LengthBatches.restore',
        rule: 'the state must be of the same data and batch size',
        got: JSON.stringify(state),
      });
    }
    this.#seed = state.seed;
    this.#epoch = state.epoch;
    this.#position = state.position;
    this.#batches = undefined;
  }
}
