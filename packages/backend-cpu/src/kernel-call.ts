/**
 * One call of a kernel: where its operands lie, its outputs and scratch memory. What was taken is given back when the kernel
 * throws, so that an exhausted memory leaves every tensor as it was.
 */

import {
  getKernel,
  type KernelConfig,
  type NamedAttrMap,
  registerKernel,
  type TensorInfo,
  unregisterKernel,
} from '@tensorflow/tfjs-core';
import type { OstinatoCpuBackend } from './backend.ts';
import type { Address, Kernels } from './kernels.ts';
import type { NumericType } from './storage.ts';
import type { TeamArguments, TeamKernel } from './team.ts';

/** Name that the backend is registered under. */
export const backendName = 'ostinato-cpu';

export type Inputs = Record<string, TensorInfo>;
export type Attributes = Record<string, unknown>;

/** Elements up to which calling native code takes longer than the work: `smallKernels` give the same bits. */
export const smallWork: number = 512;

/** Whether an optional input is one that the op did not have: a tensor of shape `[0]`, or nothing at all. */
export function isAbsent(tensor: TensorInfo | undefined): boolean {
  return tensor === undefined || (tensor.shape.length === 1 && tensor.shape[0] === 0);
}

export class KernelCall {
  readonly backend: OstinatoCpuBackend;
  #outputs: TensorInfo[] | undefined = undefined;
  #scratch: Address[] | undefined = undefined;

  constructor(backend: OstinatoCpuBackend) {
    this.backend = backend;
  }

  get kernels(): Kernels {
    return this.backend.kernels;
  }

  /** Runs a kernel whose time is that of reading and writing so many floats, on several threads where they are many. */
  share<Name extends TeamKernel>(name: Name, floats: number, values: TeamArguments<Name>): void {
    const { team } = this.backend;
    team.run(name, team.threadsForFloats(floats), values);
  }

  /** Address of an input or output, of the dtype that the tensor says. */
  input(tensor: TensorInfo): Address {
    return this.backend.addressOf(tensor) ?? this.#converted(tensor);
  }

  /** Values that are stored as another dtype, converted for the time of the call. */
  #converted(tensor: TensorInfo): Address {
    const address = this.scratch(this.values(tensor).length);
    // Read only now: making room may have detached the view that the values were.
    const values = this.values(tensor);
    const View = tensor.dtype === 'int32' ? Int32Array : Float32Array;
    new View(this.backend.kernelMemory.buffer, address, values.length).set(values);
    return address;
  }

  /** Address of an optional input, 0 when it is absent: of shape `[0]`. */
  optional(tensor: TensorInfo | undefined): Address {
    return isAbsent(tensor) ? 0 : this.input(tensor!);
  }

  /** A new output of arbitrary values; `address` gives its place. */
  output(shape: readonly number[], dtype: NumericType = 'float32'): TensorInfo {
    const tensor = this.backend.reserve(shape.slice(), dtype);
    if (this.#outputs === undefined) this.#outputs = [tensor];
    else this.#outputs.push(tensor);
    return tensor;
  }

  /** A new output that starts as zeros, to be added to. */
  zeros(shape: readonly number[]): TensorInfo {
    const tensor = this.output(shape);
    const size = shape.reduce((product, dimension) => product * dimension, 1);
    new Float32Array(this.backend.kernelMemory.buffer, this.input(tensor), size).fill(0);
    return tensor;
  }

  /** A new output that starts as a copy of `source`, whose values are words of 4 bytes. */
  copyOf(source: TensorInfo): TensorInfo {
    const tensor = this.output(source.shape, source.dtype as NumericType);
    const from = this.input(source);
    const bytes = new Uint8Array(this.backend.kernelMemory.buffer);
    bytes.copyWithin(
      this.input(tensor),
      from,
      from + 4 * source.shape.reduce((size, dimension) => size * dimension, 1),
    );
    return tensor;
  }

  /** An output that is an input's memory under another name: whoever writes there must know that nobody reads it. */
  shared(source: TensorInfo): TensorInfo {
    this.input(source); // moves the values into the memory
    this.backend.incRef(source.dataId);
    const tensor = { dataId: source.dataId, shape: source.shape, dtype: source.dtype };
    if (this.#outputs === undefined) this.#outputs = [tensor];
    else this.#outputs.push(tensor);
    return tensor;
  }

  /** Scratch memory for the time of the call. */
  scratch(floats: number): Address {
    const address = this.backend.kernelMemory.allocate(4 * floats);
    if (this.#scratch === undefined) this.#scratch = [address];
    else this.#scratch.push(address);
    return address;
  }

  /** Values of an input, in the memory or not. */
  values(tensor: TensorInfo): ArrayLike<number> {
    return this.backend.data.get(tensor.dataId).values as ArrayLike<number>;
  }

  run<Result>(
    body: (call: KernelCall, inputs: Inputs, attributes: Attributes) => Result,
    inputs: Inputs,
    attributes: Attributes,
  ): Result {
    try {
      return body(this, inputs, attributes);
    } catch (error) {
      for (const output of this.#outputs ?? []) this.backend.disposeData(output.dataId);
      throw error;
    } finally {
      if (this.#scratch !== undefined) for (const address of this.#scratch) this.backend.kernelMemory.release(address);
    }
  }
}

/** A kernel of this backend: inputs, attributes → output(s). */
export type KernelBody = (call: KernelCall, inputs: Inputs, attributes: Attributes) => TensorInfo | TensorInfo[];

const noAttributes: Attributes = {};

/** Registers a kernel, in place of the stock one where there is one. */
export function defineKernel(kernelName: string, body: KernelBody): void {
  if (getKernel(kernelName, backendName)) unregisterKernel(kernelName, backendName);
  const kernelFunc = (({ inputs, backend, attrs }) =>
    new KernelCall(backend as OstinatoCpuBackend).run(
      body,
      inputs as Inputs,
      (attrs ?? noAttributes) as Attributes,
    )) as KernelConfig['kernelFunc'];
  registerKernel({ kernelName, backendName, kernelFunc });
}

/** Runs the stock JavaScript kernel on this backend's values. */
export function runStock(
  kernelName: string,
  call: KernelCall,
  inputs: Inputs,
  attributes: Attributes,
): TensorInfo | TensorInfo[] {
  const { kernelFunc } = getKernel(kernelName, 'cpu');
  return kernelFunc({ inputs, backend: call.backend, attrs: attributes as NamedAttrMap });
}
