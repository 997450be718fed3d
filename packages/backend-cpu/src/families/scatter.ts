/**
 * Slices by several indices each: `GatherNd`, `ScatterNd`, `TensorScatterUpdate`, `SparseToDense` of float32 and int32, and
 * `OneHot`. Sums are taken in the order of the updates, and of those that replace the last counts. The stock JavaScript kernels for
 * the rest, and to say what is wrong with an index outside.
 */

import { backend_util, type TensorInfo, util } from '@tensorflow/tfjs-core';
import { type Attributes, defineKernel, type Inputs, type KernelCall, runStock, smallWork } from '../kernel-call.ts';
import type { Address } from '../kernels.ts';
import { isWord } from './layout.ts';

type WordType = 'float32' | 'int32';

/** The slice that each row of `indices` [N, rank] stands for, of `slices`; undefined when one is outside. */
function slicesOf(
  call: KernelCall,
  indices: TensorInfo,
  count: number,
  strides: readonly number[],
  slices: number,
): Address | undefined {
  const address = call.scratch(count);
  const values = call.values(indices);
  const flat = new Int32Array(call.backend.kernelMemory.buffer, address, count);
  const rank = strides.length;
  for (let i = 0; i < count; i++) {
    let slice = 0;
    for (let j = 0; j < rank; j++) slice += values[i * rank + j]! * strides[j]!;
    if (!(slice >= 0 && slice < slices)) return undefined;
    flat[i] = slice;
  }
  return address;
}

function gatherNd(call: KernelCall, inputs: Inputs, attributes: Attributes): TensorInfo {
  const { params, indices } = inputs as Record<'params' | 'indices', TensorInfo>;
  const stock = (): TensorInfo => runStock('GatherNd', call, inputs, attributes) as TensorInfo;
  const rankFits = params.shape.length > 0 && indices.shape.length > 0 && indices.shape.at(-1)! <= params.shape.length;
  if (!rankFits || !isWord(params) || indices.dtype !== 'int32' || params.shape.includes(0)) return stock();
  const [shape, count, width, strides] = backend_util.prepareAndValidate(params, indices);
  const slices = util.sizeFromShape(params.shape) / width;
  const flat = count === 0 ? undefined : slicesOf(call, indices, count, strides, slices);
  if (flat === undefined) return stock();
  const out = call.output(shape, params.dtype as WordType);
  const values = [call.input(params), flat, call.input(out), 1, 1, slices, count, width] as const;
  if (count * width <= smallWork) call.backend.smallKernels.gather_slices(...values, 0, 1, 0);
  else call.share('gather_slices', 2 * count * width, [...values]);
  return out;
}

/** Of `enum Scatter` in kernels/indexing.c. */
const [addFloats, addIntegers, replace] = [0, 1, 2];

interface Scattering {
  readonly indices: TensorInfo;
  readonly updates: TensorInfo;
  readonly shape: number[];
  readonly operation: number;
  /** The result before its updates. */
  readonly start: () => TensorInfo;
}

/** Undefined where the stock kernel has to do it. */
function scatter(call: KernelCall, { indices, updates, shape, operation, start }: Scattering): TensorInfo | undefined {
  if (!isWord(updates) || indices.dtype !== 'int32' || shape.includes(0) || indices.shape.includes(0)) return undefined;
  const info = backend_util.calculateShapes(updates as never, indices as never, shape);
  const { sliceRank, numUpdates, sliceSize, strides, outputSize } = info;
  if (util.sizeFromShape(updates.shape) !== numUpdates * sliceSize) return undefined;
  const slices = outputSize / sliceSize;
  const flat = slicesOf(call, indices, numUpdates, strides.slice(0, sliceRank), slices);
  if (flat === undefined) return undefined;
  const out = start();
  const values = [operation, flat, call.input(updates), call.input(out), numUpdates, slices, sliceSize] as const;
  if (numUpdates * sliceSize <= smallWork) call.backend.smallKernels.scatter_slices(...values, 0, 1, 0);
  else call.share('scatter_slices', 3 * numUpdates * sliceSize, [...values]);
  return out;
}

/** A tensor of one value. */
function filled(call: KernelCall, shape: number[], dtype: WordType, value: number): TensorInfo {
  const out = call.output(shape, dtype);
  const View = dtype === 'int32' ? Int32Array : Float32Array;
  new View(call.backend.kernelMemory.buffer, call.input(out), util.sizeFromShape(shape)).fill(value);
  return out;
}

function scatterNd(call: KernelCall, inputs: Inputs, attributes: Attributes): TensorInfo | TensorInfo[] {
  const { indices, updates } = inputs as Record<'indices' | 'updates', TensorInfo>;
  const { shape } = attributes as { shape: number[] };
  const start = () => filled(call, shape, updates.dtype as WordType, 0);
  const operation = updates.dtype === 'int32' ? addIntegers! : addFloats!;
  return (
    scatter(call, { indices, updates, shape, operation, start }) ?? runStock('ScatterNd', call, inputs, attributes)
  );
}

function scatterUpdate(call: KernelCall, inputs: Inputs, attributes: Attributes): TensorInfo | TensorInfo[] {
  const { tensor, indices, updates } = inputs as Record<'tensor' | 'indices' | 'updates', TensorInfo>;
  const start = () => call.copyOf(tensor);
  const scattering = { indices, updates, shape: tensor.shape, operation: replace!, start };
  const ours = tensor.dtype === updates.dtype ? scatter(call, scattering) : undefined;
  return ours ?? runStock('TensorScatterUpdate', call, inputs, attributes);
}

function sparseToDense(call: KernelCall, inputs: Inputs, attributes: Attributes): TensorInfo | TensorInfo[] {
  const { sparseIndices, sparseValues, defaultValue } = inputs as Record<string, TensorInfo>;
  const { outputShape: shape } = attributes as { outputShape: number[] };
  const start = () => filled(call, shape, sparseValues!.dtype as WordType, call.values(defaultValue!)[0]!);
  const scattering = { indices: sparseIndices!, updates: sparseValues!, shape, operation: replace!, start };
  return scatter(call, scattering) ?? runStock('SparseToDense', call, inputs, attributes);
}

/** The largest whole number up to which the stock kernel, which goes through float32, keeps every one. */
const wholeFloats = 2 ** 24;

/** indices […] → […, depth]: `onValue` at the index, `offValue` elsewhere; an index outside is nowhere. */
function oneHot(call: KernelCall, inputs: Inputs, attributes: Attributes): TensorInfo | TensorInfo[] {
  const { indices } = inputs as { indices: TensorInfo };
  const { dtype, depth, onValue, offValue } = attributes as {
    dtype: WordType;
    depth: number;
    onValue: number;
    offValue: number;
  };
  const fits = (value: number): boolean => Number.isInteger(value) && Math.abs(value) <= wholeFloats;
  const isOurs = dtype === 'float32' || (dtype === 'int32' && fits(onValue) && fits(offValue));
  const count = util.sizeFromShape(indices.shape);
  if (!isOurs || indices.dtype !== 'int32' || count === 0) return runStock('OneHot', call, inputs, attributes);
  const out = call.output([...indices.shape, depth], dtype);
  const pair = [onValue, offValue];
  const [on, off] = new Int32Array((dtype === 'int32' ? Int32Array.from(pair) : Float32Array.from(pair)).buffer);
  const values = [call.input(indices), call.input(out), count, depth, on!, off!] as const;
  if (count * depth <= smallWork) call.backend.smallKernels.one_hot(...values, 0, 1, 0);
  else call.share('one_hot', count * depth, [...values]);
  return out;
}

export function defineScatters(): void {
  defineKernel('GatherNd', gatherNd);
  defineKernel('ScatterNd', scatterNd);
  defineKernel('TensorScatterUpdate', scatterUpdate);
  defineKernel('SparseToDense', sparseToDense);
  defineKernel('OneHot', oneHot);
}
