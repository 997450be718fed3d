import { checkNumber, Rng } from '@ostinato/core';
import { checkState, type Resumable } from './source.ts';

/** A random order of 0 … length−1, a pure function of its arguments (Fisher and Yates). */
export function shuffledOrder(length: number, seed: number, epoch: number): Uint32Array {
  return new Rng(seed).split('shuffle').split(epoch).permutation(length);
}

/** State of a `Shuffle`. */
export interface ShuffleState {
  readonly seed: number;
  readonly epoch: number;
  /** How many indices of this epoch have been taken. */
  readonly position: number;
  readonly length: number;
}

/** Options of `Shuffle`. */
export interface ShuffleOptions {
  /** How many things there are to shuffle. */
  readonly length: number;
  readonly seed: number;
}

/**
 * The indices 0 … length−1 in random order, in another order every epoch.
 *
 * The order of an epoch is a pure function of seed and epoch, so the state is four numbers, whatever the length. A loop runs
 * to the end of an epoch; the next loop is the next epoch.
 */
export class Shuffle implements Resumable<ShuffleState>, IterableIterator<number, undefined> {
  readonly length: number;
  #seed: number;
  #epoch = 0;
  #position = 0;
  #order: Uint32Array | undefined;

  /** @throws ArgumentError when length is no integer ≥ 1 or seed no integer ≥ 0 */
  constructor({ length, seed }: ShuffleOptions) {
    checkNumber('Shuffle', 'length', length, { integer: true, min: 1, max: 2 ** 32 - 1 });
    checkNumber('Shuffle', 'seed', seed, { integer: true, min: 0, max: Number.MAX_SAFE_INTEGER });
    this.length = length;
    this.#seed = seed;
  }

  next(): IteratorResult<number, undefined> {
    if (this.#position === this.length) {
      this.#epoch++;
      this.#position = 0;
      this.#order = undefined;
      return { done: true, value: undefined };
    }
    this.#order ??= shuffledOrder(this.length, this.#seed, this.#epoch);
    return { done: false, value: this.#order[this.#position++]! };
  }

  [Symbol.iterator](): this {
    return this;
  }

  state(): ShuffleState {
    return { seed: this.#seed, epoch: this.#epoch, position: this.#position, length: this.length };
  }

  restore(state: ShuffleState): void {
    const { length } = this;
    const largest = Number.MAX_SAFE_INTEGER;
    checkState('Shuffle.restore', state, { seed: largest, epoch: largest, position: length }, { length });
    this.#seed = state.seed;
    this.#epoch = state.epoch;
    this.#position = state.position;
    this.#order = undefined;
  }
}
