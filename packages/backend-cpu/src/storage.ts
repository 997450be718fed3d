/**
 * Where the backend keeps the values of tensors. The entry of a tensor made here is its own key, which spares the maps that
 * the stock storage looks keys up in; tensors that come from another backend keep their key, and are looked up.
 */

import { type backend_util, DataStorage, type DataType, engine, type TensorInfo } from '@tensorflow/tfjs-core';
import type { Address } from './kernels.ts';
import type { KernelMemory } from './memory.ts';

export type Values = backend_util.BackendValues;
export type NumericArray = Float32Array | Int32Array | Uint8Array;

const arrayTypes: { float32: typeof Float32Array; int32: typeof Int32Array; bool: typeof Uint8Array } = {
  float32: Float32Array,
  int32: Int32Array,
  bool: Uint8Array,
};
export type NumericType = keyof typeof arrayTypes;

/**
 * Values of one tensor: a JavaScript array as a kernel in JavaScript left it, or a block in the memory. JavaScript kernels
 * read `values` either way.
 */
export class Entry {
  readonly dtype: DataType;
  refCount: number;
  complexTensorInfos: { real: TensorInfo; imag: TensorInfo } | undefined = undefined;
  address: Address = 0;
  /** The storage whose key this entry is, as long as it is kept there. */
  storage: Storage | undefined = undefined;
  readonly #memory: KernelMemory;
  #values: Values | undefined;
  #length: number;

  constructor(memory: KernelMemory, dtype: DataType, values: Values | undefined, refCount: number) {
    this.#memory = memory;
    this.dtype = dtype;
    this.refCount = refCount;
    this.#values = values;
    this.#length = values === undefined || values === null ? 0 : values.length;
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
    this.address = this.#memory.allocate(this.dtype === 'bool' ? length : 4 * length);
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

/** Entries by key; a key that is an entry of this storage stands for itself. */
export class Storage extends DataStorage<Entry> {
  #own = 0;

  constructor(backend: ConstructorParameters<typeof DataStorage>[0]) {
    super(backend, engine());
  }

  /** Keeps an entry as its own key. */
  keep(entry: Entry): Entry {
    entry.storage = this;
    this.#own++;
    return entry;
  }

  override get(dataId: object): Entry {
    return dataId instanceof Entry && dataId.storage === this ? dataId : super.get(dataId);
  }

  override has(dataId: object): boolean {
    return (dataId instanceof Entry && dataId.storage === this) || super.has(dataId);
  }

  override delete(dataId: object): boolean {
    if (!(dataId instanceof Entry) || dataId.storage !== this) return super.delete(dataId);
    dataId.storage = undefined;
    this.#own--;
    return true;
  }

  override numDataIds(): number {
    return this.#own + super.numDataIds();
  }
}
