/**
 * The one WebAssembly memory that holds tensor values, and the allocator over it.
 */

import { ResourceError } from '@ostinato/core';
import { Allocator, type AllocatorUsage } from './allocator.ts';

const pageBytes = 65_536;
const initialPages = 256;
/** The most that 32-bit addresses reach, then what smaller devices grant. */
const maximumPages = [65_536, 32_768, 16_384, 4_096];

/** The backend's memory is exhausted. The tensors that exist stay usable; disposing some makes room again. */
export class MemoryLimitError extends ResourceError {
  override readonly name: string = 'MemoryLimitError';
}

/** Bytes as megabytes, for messages. */
function megabytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MB`;
}

function createMemory(maximum: readonly number[], wantShared: boolean): { memory: WebAssembly.Memory; limit: number } {
  let failure: unknown;
  for (const shared of wantShared ? [true, false] : [false]) {
    for (const pages of maximum) {
      try {
        const initial = Math.min(initialPages, pages);
        return { memory: new WebAssembly.Memory({ initial, maximum: pages, shared }), limit: pages * pageBytes };
      } catch (error) {
        failure = error;
      }
    }
  }
  throw new MemoryLimitError({
    where: 'backend-cpu',
    rule: `this environment grants no WebAssembly memory of ${megabytes(maximum.at(-1)! * pageBytes)}`,
    cause: failure,
  });
}

export class KernelMemory {
  readonly memory: WebAssembly.Memory;
  readonly shared: boolean;
  /** The most bytes the memory may grow to. */
  readonly limit: number;
  #allocator: Allocator | undefined;
  readonly #buffers = new WeakSet<object>();

  /**
   * `maximum`: most pages of 64 kB to ask for, in order of preference. `shared`: whether views shall survive growth; a page
   * needs cross-origin isolation for it.
   */
  constructor({
    maximum = maximumPages,
    shared = typeof SharedArrayBuffer !== 'undefined',
  }: {
    maximum?: readonly number[];
    shared?: boolean;
  } = {}) {
    const { memory, limit } = createMemory(maximum, shared);
    this.memory = memory;
    this.limit = limit;
    this.shared = typeof SharedArrayBuffer !== 'undefined' && memory.buffer instanceof SharedArrayBuffer;
  }

  /** Hands the memory above `start` to the allocator; below lie the kernels' constants and stack. */
  manage(start: number): void {
    this.#allocator = new Allocator({
      start,
      end: this.memory.buffer.byteLength,
      grow: bytes => this.#grow(bytes),
    });
  }

  get usage(): AllocatorUsage {
    return this.#allocator!.usage;
  }

  /**
   * Address of `bytes` of arbitrary content, 64-byte aligned.
   *
   * @throws MemoryLimitError when the memory is exhausted.
   */
  allocate(bytes: number): number {
    const address = this.#allocator!.allocate(bytes);
    if (address !== undefined) return address;
    const { allocatedBytes, allocatedBlocks } = this.usage;
    throw new MemoryLimitError({
      where: 'backend-cpu',
      rule: `the memory limit of ${megabytes(this.limit)} is reached`,
      expected: `room for ${megabytes(bytes)}`,
      got: `${megabytes(allocatedBytes)} in use by ${allocatedBlocks} values`,
      advice: 'Dispose tensors, or take a smaller batch or shorter sequences; existing tensors stay valid.',
    });
  }

  release(address: number): void {
    this.#allocator!.release(address);
  }

  /** The buffer to make views of, now. */
  get buffer(): ArrayBuffer {
    const buffer = this.memory.buffer as ArrayBuffer;
    this.#buffers.add(buffer);
    return buffer;
  }

  /** Whether `values` is a view into this memory, of today or from before a growth. */
  owns(values: ArrayBufferView): boolean {
    return this.#buffers.has(values.buffer);
  }

  #grow(bytes: number): number {
    const current = this.memory.buffer.byteLength;
    const needed = Math.ceil(bytes / pageBytes);
    const room = (this.limit - current) / pageBytes;
    // A quarter more at once, so that growth is rare; just what is needed where that does not fit.
    const generous = Math.min(room, Math.max(needed, Math.ceil(current / 4 / pageBytes)));
    for (const pages of new Set([generous, needed])) {
      if (pages > room) continue;
      try {
        this.memory.grow(pages);
        return pages * pageBytes;
      } catch {
        // The system grants less than the limit allows.
      }
    }
    return 0;
  }
}
