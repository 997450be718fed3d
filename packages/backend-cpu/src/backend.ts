/**
 * The backend: tensor values as views into one WebAssembly memory, everything else as in the stock CPU backend.
 */

import { checkNumber } from '@ostinato/core';
import { MathBackendCPU } from '@tensorflow/tfjs-backend-cpu';
import type { DataType, TensorInfo } from '@tensorflow/tfjs-core';
import type { Address, Kernels } from './kernels.ts';
import { KernelMemory } from './memory.ts';
import { Entry, type NumericType, Storage, type Values } from './storage.ts';
import { availableThreads, mostThreads, Team } from './team.ts';
import { type KernelInfo, loadKernels } from './wasm.ts';

/** A TensorFlow.js backend whose kernels are compiled C, on one memory shared with the stock JavaScript kernels. */
export class OstinatoCpuBackend extends MathBackendCPU {
  /** Which kernels run, and why. */
  readonly info: KernelInfo;
  /** @internal The kernels, over addresses from `addressOf` and `KernelCall`. */
  readonly kernels: Kernels;
  /** @internal The kernels for work that takes less time than calling native code does; the bits are those of `kernels`. */
  readonly smallKernels: Kernels;
  /** @internal */
  readonly kernelMemory: KernelMemory;
  /** @internal Runs large kernels on several threads. */
  readonly team: Team;
  readonly #storage: Storage;

  /**
   * `maximumPages`: the most pages of 64 kB that tensors may take; by default all that 32-bit addresses reach, 4 GB.
   * `sharedMemory`: false for memory that other threads cannot see; by default shared where this environment has it.
   * `threads`: how many threads large kernels run on, this one among them; by default one per core, or what the environment
   * variable OSTINATO_THREADS says. Results do not depend on it. One where memory cannot be shared.
   * `native`: `'auto'` for native code where there is a library for this machine and the memory is shared, `'off'` for
   * WebAssembly.
   *
   * @throws ArgumentError when threads is not an integer from 1 to 255
   */
  constructor({
    maximumPages,
    sharedMemory,
    threads = defaultThreads(),
    native = 'auto',
  }: {
    maximumPages?: number | undefined;
    sharedMemory?: boolean | undefined;
    threads?: number | undefined;
    native?: 'auto' | 'off' | undefined;
  } = {}) {
    super();
    checkNumber('OstinatoCpuBackend', 'threads', threads, { min: 1, max: mostThreads, integer: true });
    this.kernelMemory = new KernelMemory({
      ...(maximumPages === undefined ? {} : { maximum: [maximumPages] }),
      ...(sharedMemory === undefined ? {} : { shared: sharedMemory }),
    });
    const { kernels, small, reopen, info } = loadKernels(this.kernelMemory, native);
    this.kernels = kernels;
    this.smallKernels = small;
    this.#storage = new Storage(this);
    this.data = this.#storage as never;
    this.team = new Team({ memory: this.kernelMemory, kernels, reopen, threads });
    this.info = { ...info, threads: this.team.wanted };
  }

  override write(values: Values, _shape: number[], dtype: DataType): object {
    return this.#storage.keep(this.#entryOf(values, dtype, 1));
  }

  override move(dataId: object, values: Values, _shape: number[], dtype: DataType, refCount: number): void {
    this.#storage.set(dataId, this.#entryOf(values, dtype, refCount));
  }

  #entryOf(values: Values | undefined, dtype: DataType, refCount: number): Entry {
    // Some JavaScript kernels (slice) return a part of their input's array, which may be disposed before the result.
    const isPart = ArrayBuffer.isView(values) && this.kernelMemory.owns(values);
    return new Entry(this.kernelMemory, dtype, isPart ? values.slice() : values, refCount);
  }

  /**
   * @internal Address of a tensor's values, moved into the memory if they are not there; undefined when they are stored as
   * another dtype than the tensor's. The stock `Cast` from int32 to float32 only relabels them.
   */
  addressOf(tensor: TensorInfo): Address | undefined {
    const entry = this.#storage.get(tensor.dataId);
    return entry.dtype === tensor.dtype ? entry.moveIn() : undefined;
  }

  /** @internal Whether no other tensor has these values: no clone, no reshape. Then they may be written over. */
  isSole(tensor: TensorInfo): boolean {
    const entry = this.#storage.get(tensor.dataId);
    return entry.refCount === 1 && entry.dtype === tensor.dtype;
  }

  /** @internal A new tensor of arbitrary values in the memory. */
  reserve(shape: number[], dtype: NumericType): TensorInfo {
    const entry = new Entry(this.kernelMemory, dtype, undefined, 1);
    let size = 1;
    for (const dimension of shape) size *= dimension;
    entry.reserve(size);
    return { dataId: this.#storage.keep(entry), shape, dtype };
  }

  /** A copy of the values: views into memory that is used again never reach the user. */
  override readSync(dataId: object): Values {
    const values = super.readSync(dataId);
    return ArrayBuffer.isView(values) && this.kernelMemory.owns(values) ? values.slice() : values;
  }

  override async read(dataId: object): Promise<Values> {
    return this.readSync(dataId);
  }

  override disposeData(dataId: object, force = false): boolean {
    if (!this.#storage.has(dataId)) return true;
    const entry = this.#storage.get(dataId);
    entry.refCount--;
    if (!force && entry.refCount > 0) return false;
    if (entry.complexTensorInfos) {
      this.disposeData(entry.complexTensorInfos.real.dataId, true);
      this.disposeData(entry.complexTensorInfos.imag.dataId, true);
    }
    this.#storage.delete(dataId);
    entry.release();
    return true;
  }

  /** Ends the threads. */
  override dispose(): void {
    this.team.dispose();
    super.dispose();
  }

  override memory(): { unreliable: boolean; reasons: string[]; allocatedBytes: number; reservedBytes: number } {
    const { allocatedBytes, reservedBytes } = this.kernelMemory.usage;
    return { unreliable: false, reasons: [], allocatedBytes, reservedBytes };
  }
}

/** One thread per core, unless the environment says otherwise. */
function defaultThreads(): number {
  const { process } = globalThis as { process?: { env?: Record<string, string | undefined> } };
  const wanted = process?.env?.['OSTINATO_THREADS'];
  return wanted === undefined || wanted === '' ? Math.min(availableThreads(), mostThreads) : Number(wanted);
}

/** Whether kernels of this backend can work on the tensor's values. */
export function isFloat32(tensor: TensorInfo): boolean {
  return tensor.dtype === 'float32';
}
