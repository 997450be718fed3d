/**
 * A general-purpose allocator over one growing range of addresses: segregated free lists with immediate coalescing, the
 * two-level segregated fit of Masmano et al. (2004). Allocation and release take constant time, and neighbouring free
 * blocks are joined, which bounds fragmentation; but a few small blocks of every size are kept as they are, because the next
 * kernel asks for the same. Its records live outside the memory that it hands out.
 */

/** Alignment of every address and unit of every size, in bytes: a cache line. */
const alignment = 64;

class Block {
  /** Position and size in units of `alignment`. */
  start: number;
  size: number;
  free: boolean = true;
  /** Given back, but kept whole for the next request of its size. */
  rests: boolean = false;
  /** Neighbours by address. */
  lower: Block | undefined;
  upper: Block | undefined;
  /** Neighbours in the free list. */
  previous: Block | undefined = undefined;
  next: Block | undefined = undefined;

  constructor(start: number, size: number, lower: Block | undefined, upper: Block | undefined) {
    this.start = start;
    this.size = size;
    this.lower = lower;
    this.upper = upper;
  }
}

const smallSizes = 16;
/** Blocks of a size that rest, at most: all sizes together some 140 kB. */
const mostResting = 16;
const binCount = smallSizes + 8 * 28;

/** Sizes below 16 have a list each; above, every power of two is cut into 8 lists. */
function binOf(size: number): number {
  if (size < smallSizes) return size;
  const power = 31 - Math.clz32(size);
  return smallSizes + (power - 4) * 8 + ((size >>> (power - 3)) & 7);
}

/** The first list all of whose blocks hold `size`. */
function fittingBin(size: number): number {
  if (size < smallSizes) return size;
  const power = 31 - Math.clz32(size);
  return binOf(size + 2 ** (power - 3) - 1);
}

/** How many bytes are handed out and managed. */
export interface AllocatorUsage {
  readonly allocatedBytes: number;
  readonly allocatedBlocks: number;
  readonly reservedBytes: number;
}

export class Allocator {
  readonly #free: (Block | undefined)[] = new Array(binCount).fill(undefined);
  readonly #occupied: Int32Array = new Int32Array(Math.ceil(binCount / 32));
  readonly #used = new Map<number, Block>();
  readonly #grow: (bytes: number) => number;
  readonly #start: number;
  #end: number;
  #last: Block | undefined;
  #allocated = 0;
  /** Blocks that rest, by size. */
  readonly #resting: Block[][] = Array.from({ length: smallSizes + 1 }, () => []);
  #restingBlocks = 0;

  /**
   * Manages the addresses `[start, end)`. `grow(bytes)` is called when at least `bytes` more are needed at the end; it
   * returns how many bytes it added (0 when there are no more).
   */
  constructor({ start, end, grow }: { start: number; end: number; grow: (bytes: number) => number }) {
    this.#start = Math.ceil(start / alignment);
    this.#end = this.#start;
    this.#grow = grow;
    this.#extend(Math.floor(end / alignment) - this.#start);
  }

  get usage(): AllocatorUsage {
    return {
      allocatedBytes: this.#allocated * alignment,
      allocatedBlocks: this.#used.size - this.#restingBlocks,
      reservedBytes: (this.#end - this.#start) * alignment,
    };
  }

  /** Address of a block of at least `bytes`, or `undefined` when the memory is exhausted. Its content is arbitrary. */
  allocate(bytes: number): number | undefined {
    const size = Math.max(1, Math.ceil(bytes / alignment));
    if (size <= smallSizes) {
      const rested = this.#resting[size]!.pop();
      if (rested !== undefined) {
        rested.rests = false;
        this.#restingBlocks--;
        this.#allocated += size;
        return rested.start * alignment;
      }
    }
    let block = this.#find(size);
    if (block === undefined && this.#restingBlocks > 0) {
      this.#joinResting();
      block = this.#find(size);
    }
    block ??= this.#findAfterGrowth(size);
    if (block === undefined) return undefined;
    this.#unlink(block);
    if (block.size > size) this.#split(block, size);
    block.free = false;
    this.#allocated += block.size;
    this.#used.set(block.start, block);
    return block.start * alignment;
  }

  /** Gives the block at `address` back. Throws when no block was handed out there. */
  release(address: number): void {
    const block = this.#used.get(address / alignment);
    if (block === undefined || block.rests) throw new Error(`Allocator.release: no block at address ${address}.`);
    this.#allocated -= block.size;
    const resting = this.#resting[block.size];
    if (resting === undefined || resting.length === mostResting) {
      this.#join(block);
      return;
    }
    block.rests = true;
    this.#restingBlocks++;
    resting.push(block);
  }

  #joinResting(): void {
    for (const resting of this.#resting) {
      for (const block of resting) {
        block.rests = false;
        this.#join(block);
      }
      resting.length = 0;
    }
    this.#restingBlocks = 0;
  }

  /** Takes a block out of use, one with its free neighbours. */
  #join(block: Block): void {
    this.#used.delete(block.start);
    const lowest = block.lower?.free ? this.#joinNeighbours(block.lower, block) : block;
    this.#link(lowest.upper?.free ? this.#joinNeighbours(lowest, lowest.upper) : lowest);
  }

  #find(size: number): Block | undefined {
    const first = fittingBin(size);
    for (let word = first >>> 5; word < this.#occupied.length; word++) {
      const mask = word === first >>> 5 ? -1 << (first & 31) : -1;
      const bits = this.#occupied[word]! & mask;
      if (bits !== 0) return this.#free[word * 32 + 31 - Math.clz32(bits & -bits)];
    }
    // Blocks of the list below may be large enough too.
    for (let block = this.#free[binOf(size)]; block !== undefined; block = block.next) {
      if (block.size >= size) return block;
    }
    return undefined;
  }

  #findAfterGrowth(size: number): Block | undefined {
    const atEnd = this.#last?.free ? this.#last.size : 0;
    const added = Math.floor(this.#grow((size - atEnd) * alignment) / alignment);
    if (added > 0) this.#extend(added);
    return this.#last?.free && this.#last.size >= size ? this.#last : undefined;
  }

  #extend(size: number): void {
    if (this.#last?.free) {
      this.#unlink(this.#last);
      this.#last.size += size;
    } else {
      const block = new Block(this.#end, size, this.#last, undefined);
      if (this.#last) this.#last.upper = block;
      this.#last = block;
    }
    this.#end += size;
    this.#link(this.#last);
  }

  #split(block: Block, size: number): void {
    const rest = new Block(block.start + size, block.size - size, block, block.upper);
    if (block.upper) block.upper.lower = rest;
    else this.#last = rest;
    block.upper = rest;
    block.size = size;
    this.#link(rest);
  }

  /** Joins two neighbours into the lower one; whichever is in a free list leaves it. */
  #joinNeighbours(lower: Block, upper: Block): Block {
    if (lower.free) this.#unlink(lower);
    if (upper.free) this.#unlink(upper);
    lower.size += upper.size;
    lower.upper = upper.upper;
    if (upper.upper) upper.upper.lower = lower;
    else this.#last = lower;
    return lower;
  }

  #link(block: Block): void {
    const bin = binOf(block.size);
    const head = this.#free[bin];
    block.free = true;
    block.previous = undefined;
    block.next = head;
    if (head) head.previous = block;
    this.#free[bin] = block;
    this.#occupied[bin >>> 5]! |= 1 << (bin & 31);
  }

  #unlink(block: Block): void {
    const bin = binOf(block.size);
    if (block.previous) block.previous.next = block.next;
    else this.#free[bin] = block.next;
    if (block.next) block.next.previous = block.previous;
    if (this.#free[bin] === undefined) this.#occupied[bin >>> 5]! &= ~(1 << (bin & 31));
    block.previous = undefined;
    block.next = undefined;
    block.free = false;
  }
}
