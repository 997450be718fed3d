import { ArgumentError, checkNumber, Rng } from '@ostinato/core';
import { shuffledOrder } from './shuffle.ts';
import { type BatchSource, checkState } from './source.ts';

const largest = Number.MAX_SAFE_INTEGER;

/** Options of `LengthBatches`. */
export interface LengthBatchesOptions {
  /** How long each item is; of pairs, the lengths of every side: `[sourceLengths, targetLengths]`. */
  readonly lengths: readonly ArrayLike<number>[];
  /**
   * Most tokens of a batch, padding included and all sides together: rows · (longest source + longest target). Default: no limit, and
   * then `batchSize` is needed.
   */
  readonly maximumTokens?: number | undefined;
  /** Most items of a batch. Default: no limit. */
  readonly batchSize?: number | undefined;
  /** Lengths are the same when they need as many buckets of this width: wider ones mix more, and pad more. Default 1. */
  readonly bucketWidth?: number | undefined;
  /** Mixes items of the same length, and the batches, anew every epoch. Default: from short to long. */
  readonly seed?: number | undefined;
}

/** State of a `LengthBatches`. */
export interface LengthBatchesState {
  readonly seed: number | null;
  readonly epoch: number;
  /** How many batches of this epoch have been taken. */
  readonly position: number;
  /** Number of items, and of all their tokens. */
  readonly length: number;
  readonly tokens: number;
  readonly maximumTokens: number | null;
  readonly batchSize: number | null;
  readonly bucketWidth: number;
}

/**
 * Batches of items of about the same length, as indices: little padding, and about as much work in each.
 *
 * Every epoch has each item once. The items are put in order of their lengths (the first side's first), those of one bucket in
 * random order, and cut into batches as large as the limits allow; the batches come in random order. All of it is a pure
 * function of seed and epoch.
 */
export class LengthBatches implements BatchSource<Uint32Array, LengthBatchesState> {
  readonly length: number;
  readonly maximumTokens: number | null;
  readonly batchSize: number | null;
  readonly bucketWidth: number;
  readonly #lengths: readonly ArrayLike<number>[];
  readonly #tokens: number;
  #seed: number | null;
  #epoch = 0;
  #position = 0;
  #batches: readonly Uint32Array[] | undefined;

  /** @throws ArgumentError when there is no limit, no item, sides differ in number, or an item is longer than `maximumTokens` */
  constructor({ lengths, maximumTokens, batchSize, bucketWidth = 1, seed }: LengthBatchesOptions) {
    const where = 'LengthBatches';
    if (maximumTokens !== undefined) checkNumber(where, 'maximumTokens', maximumTokens, { integer: true, min: 1 });
    if (batchSize !== undefined) checkNumber(where, 'batchSize', batchSize, { integer: true, min: 1 });
    checkNumber(where, 'bucketWidth', bucketWidth, { integer: true, min: 1 });
    if (seed !== undefined) checkNumber(where, 'seed', seed, { integer: true, min: 0, max: largest });
    if (maximumTokens === undefined && batchSize === undefined) {
      throw new ArgumentError({ where, rule: 'maximumTokens or batchSize must be given', got: 'neither' });
    }
    this.#tokens = checkLengths(where, lengths, maximumTokens);
    this.length = lengths[0]!.length;
    this.maximumTokens = maximumTokens ?? null;
    this.batchSize = batchSize ?? null;
    this.bucketWidth = bucketWidth;
    this.#lengths = lengths;
    this.#seed = seed ?? null;
  }

  /** Of the present epoch: what is cut depends on the order. */
  get batchesPerEpoch(): number {
    return this.#plan().length;
  }

  next(): IteratorResult<Uint32Array, undefined> {
    const batches = this.#plan();
    if (this.#position < batches.length) return { done: false, value: batches[this.#position++]! };
    this.#epoch++;
    this.#position = 0;
    if (this.#seed !== null) this.#batches = undefined;
    return { done: true, value: undefined };
  }

  [Symbol.iterator](): this {
    return this;
  }

  state(): LengthBatchesState {
    return { seed: this.#seed, epoch: this.#epoch, position: this.#position, ...this.#exact() };
  }

  restore(state: LengthBatchesState): void {
    const where = 'LengthBatches.restore';
    const limits = { epoch: largest, position: this.length };
    if (this.#seed === null) checkState(where, state, limits, { ...this.#exact(), seed: null });
    else checkState(where, state, { ...limits, seed: largest }, this.#exact());
    const batches = this.#cut(state.seed, state.epoch);
    checkState(where, { position: state.position }, { position: batches.length }, {});
    this.#seed = state.seed;
    this.#epoch = state.epoch;
    this.#position = state.position;
    this.#batches = batches;
  }

  #exact() {
    const { length, maximumTokens, batchSize, bucketWidth } = this;
    return { length, tokens: this.#tokens, maximumTokens, batchSize, bucketWidth };
  }

  #plan(): readonly Uint32Array[] {
    this.#batches ??= this.#cut(this.#seed, this.#epoch);
    return this.#batches;
  }

  #cut(seed: number | null, epoch: number): Uint32Array[] {
    const order =
      seed === null ? Uint32Array.from({ length: this.length }, (_, i) => i) : shuffledOrder(this.length, seed, epoch);
    const bucket = (side: ArrayLike<number>, item: number): number => Math.ceil(side[item]! / this.bucketWidth);
    // A typed array's sort is stable: items of one bucket stay in random order.
    order.sort((a, b) => {
      for (const side of this.#lengths) {
        const difference = bucket(side, a) - bucket(side, b);
        if (difference !== 0) return difference;
      }
      return 0;
    });
    const batches: Uint32Array[] = [];
    let first = 0;
    let longest = this.#lengths.map(() => 0);
    for (const [place, item] of order.entries()) {
      const grown = this.#lengths.map((side, i) => Math.max(longest[i]!, side[item]!));
      const rows = place - first + 1;
      const tokens = rows * grown.reduce((sum, length) => sum + length, 0);
      if (rows > 1 && (tokens > (this.maximumTokens ?? Infinity) || rows > (this.batchSize ?? Infinity))) {
        batches.push(order.slice(first, place));
        first = place;
        longest = this.#lengths.map(side => side[item]!);
      } else longest = grown;
    }
    batches.push(order.slice(first));
    if (seed === null) return batches;
    const mixed = new Rng(seed).split('batches').split(epoch).permutation(batches.length);
    return Array.from(mixed, i => batches[i]!);
  }
}

/** @returns the tokens of all items */
function checkLengths(where: string, lengths: readonly ArrayLike<number>[], maximumTokens = Infinity): number {
  const count = lengths[0]?.length ?? 0;
  if (count === 0) throw new ArgumentError({ where, rule: 'there must be at least one item', got: 'none' });
  const other = lengths.find(side => side.length !== count);
  if (other) {
    const rule = 'every side must have a length for each item';
    throw new ArgumentError({ where, rule, expected: String(count), got: String(other.length) });
  }
  let total = 0;
  for (let item = 0; item < count; item++) {
    let tokens = 0;
    for (const side of lengths) {
      checkNumber(where, `a length of item ${item}`, side[item]!, { integer: true, min: 0 });
      tokens += side[item]!;
    }
    if (tokens > maximumTokens) {
      throw new ArgumentError({
        where,
        rule: 'an item must fit into a batch',
        expected: `at most ${maximumTokens} tokens (maximumTokens)`,
        got: `${tokens} in item ${item}`,
        advice: 'Raise maximumTokens, or cut or leave out long items.',
      });
    }
    total += tokens;
  }
  return total;
}
