/**
 * The backend: tensor values as views into one WebAssembly memory, everything else as in the stock CPU backend.
 */

import { checkNumber } from '@ostinato/core';
import { MathBackendCPU } from '@tensorflow/tfjs-backend-cpu';
import type { backend_util, DataType, TensorInfo } from '@tensorflow/tfjs-core';
import type { Address, Kernels } from './kernels.ts';
import { KernelMemory } from './memory.ts';
import { availableThreads, mostThreads, Team } from './team.ts';
import { type KernelInfo, loadKernels } from './wasm.ts';

type Values = backend_util.BackendValues;
type NumericArray = Float32Array | Int32Array | Uint8Array;

const arrayTypes: { float32: typeof Float32Array; int32: typeof Int32Array; bool: typeof Uint8Array } = {
  float32: Float32Array,
  int32: Int32Array,
  bool: Uint8Array,
};
type NumericType = keyof typeof arrayTypes;

/**
 * Values of one tensor: a JavaScript array as a kernel in JavaScript left it, or a block in the memory. JavaScript kernels
 * read `values` either way.
 */
class Entry {
  readonly dtype: DataType;
  refCount: number;
  complexTensorInfos?: { real: TensorInfo; imag: TensorInfo } | undefined;
  address: Address = 0;
  readonly #memory: KernelMemory;
  #values: Values | undefined;
  #length: number;

  constructor(memory: KernelMemory, dtype: DataType, values: Values | undefined, refCount: number) {
    this.#memory = memory;
    this.dtype = dtype;
    this.refCount = refCount;
    this.#values = values;
    this.#length = values?.length ?? 0;
  }

  get values(): Values | undefined {
    const values = this.#values;
    // Memory that is not shared detaches its views when it grows.
    if (
      this.address !== 0 &&
      (values === undefined || (values as NumericArray).buffer !== this.#memory.memory.buffer)
    ) {
      this.#values = this.#view();
    }
    return this.#values;
  }

  /** A new block of `length` arbitrary values. */
  reserve(length: number): void {
    this.address = this.#memory.allocate(length * arrayTypes[this.dtype as NumericType].BYTES_PER_ELEMENT);
    this.#length = length;
    this.#values = undefined;
  }

  /** Copies the values into the memory, if they are not there. */
  moveIn(): Address {
    if (this.address !== 0) return this.address;
    const values = this.#values as NumericArray | undefined;
    this.reserve(this.#length);
    if (values !== undefined) (this.values as NumericArray).set(values);
    return this.address;
  }

  release(): void {
    if (this.address !== 0) this.#memory.release(this.address);
    this.address = 0;
    this.#values = undefined;
  }

  #view(): NumericArray {
    return new arrayTypes[this.dtype as NumericType](this.#memory.buffer, this.address, this.#length);
  }
}

/** A TensorFlow.js backend whose kernels are compiled C, on one memory shared with the stock JavaScript kernels. */
export class OstinatoCpuBackend extends MathBackendCPU {
  /** Which kernels run, and why. */
  readonly info: KernelInfo;
  /** @internal The kernels, over addresses from `addressOf` and `KernelCall`. */
  readonly kernels: Kernels;
  /** @internal */
  readonly kernelMemory: KernelMemory;
  /** @internal Runs large kernels on several threads. */
  readonly team: Team;

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
    const { kernels, reopen, info } = loadKernels(this.kernelMemory, native);
    this.kernels = kernels;
    this.team = new Team({ memory: this.kernelMemory, kernels, reopen, threads });
    this.info = { ...info, threads: this.team.wanted };
  }

  override write(values: Values, _shape: number[], dtype: DataType): object {
    const dataId = {};
    this.#store(dataId, values, dtype, 1);
    return dataId;
  }

  override move(dataId: object, values: Values, _shape: number[], dtype: DataType, refCount: number): void {
    this.#store(dataId, values, dtype, refCount);
  }

  #store(dataId: object, values: Values | undefined, dtype: DataType, refCount: number): void {
    // Some JavaScript kernels (slice) return a part of their input's array, which may be disposed before the result.
    const isPart = ArrayBuffer.isView(values) && this.kernelMemory.owns(values);
    this.data.set(dataId, new Entry(this.kernelMemory, dtype, isPart ? values.slice() : values, refCount) as never);
  }

  #entry(dataId: object): Entry {
    return this.data.get(dataId) as unknown as Entry;
  }

  /**
   * @internal Address of a tensor's values, moved into the memory if they are not there; undefined when they are stored as
   * another dtype than the tensor's. The stock `Cast` from int32 to float32 only relabels them.
   */
  addressOf(tensor: TensorInfo): Address | undefined {
    const entry = this.#entry(tensor.dataId);
    return entry.dtype === tensor.dtype ? entry.moveIn() : undefined;
  }

  /** @internal A new tensor of arbitrary values in the memory. */
  reserve(shape: number[], dtype: NumericType): TensorInfo {
    const dataId = {};
    const entry = new Entry(this.kernelMemory, dtype, undefined, 1);
    entry.reserve(shape.reduce((size, dimension) => size * dimension, 1));
    this.data.set(dataId, entry as never);
    return { dataId, shape, dtype };
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
    if (!this.data.has(dataId)) return true;
    const entry = this.#entry(dataId);
    const disposed = super.disposeData(dataId, force);
    if (disposed) entry.release();
    return disposed;
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
