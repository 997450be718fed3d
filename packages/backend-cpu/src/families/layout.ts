/**
 * Ops that only move values: `Transpose`, `Slice`, `Concat`, `SplitV`, `Pack`, `Unpack`, `PadV2`, `Tile`, `Reverse`, of float32 and int32, as
 * copies between two layouts. Empty results and other dtypes are left to the stock JavaScript kernels.
 */

import { backend_util, slice_util, type TensorInfo, util } from '@tensorflow/tfjs-core';
import { type Attributes, defineKernel, type Inputs, type KernelCall, runStock } from '../kernel-call.ts';
import type { Address } from '../kernels.ts';

/** One axis of a copy: its size, and the distance of its steps in the source and in the target, in values. */
export interface Axis {
  readonly size: number;
  readonly from: number;
  readonly to: number;
}

type WordType = 'float32' | 'int32';

/** Values of 4 bytes, which `strided_copy` moves. */
export const isWord = ({ dtype }: TensorInfo): boolean => dtype === 'float32' || dtype === 'int32';

/** Distances of the steps along each axis of an array. */
function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis]!;
  }
  return strides;
}

/** The same copy in fewest axes, such that the last has neighbours in the target, and the one before in the source. */
function simplest(axes: readonly Axis[]): Axis[] {
  const merged: Axis[] = [];
  for (const axis of axes) {
    if (axis.size === 1) continue;
    const last = merged.at(-1);
    const continues = last && last.from === axis.from * axis.size && last.to === axis.to * axis.size;
    if (continues) merged[merged.length - 1] = { ...axis, size: last.size * axis.size };
    else merged.push(axis);
  }
  const target = merged.findIndex(({ to }) => to === 1);
  const last = target < 0 ? [] : merged.splice(target, 1);
  const source = merged.findIndex(({ from }) => from === 1);
  const middle = source < 0 ? [] : merged.splice(source, 1);
  const all = [...merged, ...middle, ...last];
  while (all.length < 2) all.unshift({ size: 1, from: 0, to: 0 });
  return all;
}

/** Copies between places in the memory; no axis may be of size 0. */
export function copyStrided(call: KernelCall, from: Address, to: Address, axes: readonly Axis[]): void {
  const plan = simplest(axes);
  const size = plan.reduce((product, axis) => product * axis.size, 1);
  const address = call.scratch(3 * plan.length);
  const values = new Int32Array(call.backend.kernelMemory.buffer, address, 3 * plan.length);
  for (const [i, axis] of plan.entries()) values.set([axis.size, axis.from, axis.to], 3 * i);
  call.share('strided_copy', 4 * size, [from, to, address, plan.length]);
}

/** Copies `shape` values from one array into another, with strides of their own. */
function copyBlock(
  call: KernelCall,
  shape: readonly number[],
  source: { address: Address; strides: readonly number[] },
  target: { address: Address; strides: readonly number[] },
): void {
  const axes = shape.map((size, axis) => ({ size, from: source.strides[axis]!, to: target.strides[axis]! }));
  copyStrided(call, source.address, target.address, axes);
}

const offset = (strides: readonly number[], at: readonly number[]): number =>
  4 * strides.reduce((sum, stride, axis) => sum + stride * at[axis]!, 0);

const isEmpty = (shape: readonly number[]): boolean => shape.includes(0);

function transpose(call: KernelCall, inputs: Inputs, attributes: Attributes): TensorInfo {
  const { x } = inputs as { x: TensorInfo };
  const { perm } = attributes as { perm: number[] };
  if (!isWord(x) || isEmpty(x.shape)) return runStock('Transpose', call, inputs, attributes) as TensorInfo;
  const rank = x.shape.length;
  const out = call.output(
    perm.map(axis => x.shape[axis]!),
    x.dtype as WordType,
  );
  const swapsLastTwo =
    rank >= 2 && perm.every((axis, index) => axis === (index < rank - 2 ? index : 2 * rank - 3 - index));
  if (swapsLastTwo) {
    const [rows, columns] = x.shape.slice(-2) as [number, number];
    const size = util.sizeFromShape(x.shape);
    const batch = size / rows / columns;
    call.share('transpose', 8 * size, [call.input(x), call.input(out), batch, rows, columns]);
    return out;
  }
  const strides = stridesOf(x.shape);
  const source = { address: call.input(x), strides: perm.map(axis => strides[axis]!) };
  copyBlock(call, out.shape, source, { address: call.input(out), strides: stridesOf(out.shape) });
  return out;
}

function slice(call: KernelCall, inputs: Inputs, attributes: Attributes): TensorInfo {
  const { x } = inputs as { x: TensorInfo };
  const { begin, size } = attributes as { begin: number | number[]; size: number | number[] };
  const [start, shape] = slice_util.parseSliceParams(x as never, begin, size) as [number[], number[]];
  slice_util.assertParamsValid(x, start, shape);
  if (!isWord(x) || isEmpty(shape)) return runStock('Slice', call, inputs, attributes) as TensorInfo;
  const out = call.output(shape, x.dtype as WordType);
  const strides = stridesOf(x.shape);
  const source = { address: call.input(x) + offset(strides, start), strides };
  copyBlock(call, shape, source, { address: call.input(out), strides: stridesOf(shape) });
  return out;
}

/** Writes tensors one after the other along an axis of a new one. */
function joined(call: KernelCall, tensors: readonly TensorInfo[], shape: readonly number[], axis: number): TensorInfo {
  const out = call.output(shape, tensors[0]!.dtype as WordType);
  const inner = util.sizeFromShape(shape.slice(axis + 1));
  const outer = util.sizeFromShape(shape.slice(0, axis));
  let start = call.input(out);
  for (const tensor of tensors) {
    const size = util.sizeFromShape(tensor.shape) / outer; // of one part, contiguous in both
    if (size === 0) continue;
    copyStrided(call, call.input(tensor), start, [
      { size: outer, from: size, to: shape[axis]! * inner },
      { size, from: 1, to: 1 },
    ]);
    start += 4 * size;
  }
  return out;
}

function concat(call: KernelCall, inputs: Inputs, attributes: Attributes): TensorInfo {
  const tensors = inputs as unknown as TensorInfo[];
  const [first] = tensors as [TensorInfo];
  const stock = () => runStock('Concat', call, inputs, attributes) as TensorInfo;
  if (!isWord(first) || tensors.some(({ dtype }) => dtype !== first.dtype)) return stock();
  const axis = util.parseAxisParam(attributes['axis'] as number, first.shape)[0]!;
  const shapes = tensors.map(({ shape }) => shape);
  backend_util.assertParamsConsistent(shapes, axis);
  const shape = backend_util.computeOutShape(shapes, axis);
  if (isEmpty(shape) || shapes.filter(part => !isEmpty(part)).length === 1) return stock();
  return joined(call, tensors, shape, axis);
}

function split(call: KernelCall, inputs: Inputs, attributes: Attributes): TensorInfo[] {
  const { x } = inputs as { x: TensorInfo };
  const { numOrSizeSplits, axis: given } = attributes as { numOrSizeSplits: number | number[]; axis: number };
  const axis = util.parseAxisParam(given, x.shape)[0]!;
  const sizes = backend_util.prepareSplitSize(x as never, numOrSizeSplits, axis);
  if (!isWord(x) || isEmpty(x.shape) || sizes.includes(0)) {
    return runStock('SplitV', call, inputs, attributes) as TensorInfo[];
  }
  const inner = util.sizeFromShape(x.shape.slice(axis + 1));
  const outer = util.sizeFromShape(x.shape.slice(0, axis));
  let start = 0;
  return sizes.map(size => {
    const out = call.output(x.shape.with(axis, size), x.dtype as WordType);
    copyStrided(call, call.input(x) + 4 * start, call.input(out), [
      { size: outer, from: x.shape[axis]! * inner, to: size * inner },
      { size: size * inner, from: 1, to: 1 },
    ]);
    start += size * inner;
    return out;
  });
}

function unpack(call: KernelCall, inputs: Inputs, attributes: Attributes): TensorInfo[] {
  const { value: x } = inputs as { value: TensorInfo };
  const { axis: given } = attributes as { axis: number };
  const axis = util.parseAxisParam(given, x.shape)[0]!;
  if (!isWord(x) || isEmpty(x.shape)) return runStock('Unpack', call, inputs, attributes) as TensorInfo[];
  const inner = util.sizeFromShape(x.shape.slice(axis + 1));
  const outer = util.sizeFromShape(x.shape.slice(0, axis));
  const count = x.shape[axis]!;
  return Array.from({ length: count }, (_, i) => {
    const out = call.output(x.shape.toSpliced(axis, 1), x.dtype as WordType);
    copyStrided(call, call.input(x) + 4 * i * inner, call.input(out), [
      { size: outer, from: count * inner, to: inner },
      { size: inner, from: 1, to: 1 },
    ]);
    return out;
  });
}

function pack(call: KernelCall, inputs: Inputs, attributes: Attributes): TensorInfo {
  const tensors = inputs as unknown as TensorInfo[];
  const [first] = tensors as [TensorInfo];
  const alike = tensors.every(({ dtype, shape }) => dtype === first.dtype && util.arraysEqual(shape, first.shape));
  if (!isWord(first) || !alike || tensors.length === 1 || isEmpty(first.shape)) {
    return runStock('Pack', call, inputs, attributes) as TensorInfo;
  }
  const { axis: given } = attributes as { axis: number };
  const axis = given < 0 ? given + first.shape.length + 1 : given;
  return joined(call, tensors, first.shape.toSpliced(axis, 0, tensors.length), axis);
}

function pad(call: KernelCall, inputs: Inputs, attributes: Attributes): TensorInfo {
  const { x } = inputs as { x: TensorInfo };
  const { paddings, constantValue } = attributes as { paddings: [number, number][]; constantValue: number };
  const shape = paddings.map(([before, after], axis) => before + x.shape[axis]! + after);
  const isNegative = paddings.some(([before, after]) => before < 0 || after < 0);
  if (!isWord(x) || isEmpty(x.shape) || isNegative) return runStock('PadV2', call, inputs, attributes) as TensorInfo;
  const out = call.output(shape, x.dtype as WordType);
  const address = call.input(x);
  const target = call.input(out);
  const View = x.dtype === 'int32' ? Int32Array : Float32Array;
  new View(call.backend.kernelMemory.buffer, target, util.sizeFromShape(shape)).fill(constantValue);
  const strides = stridesOf(shape);
  const start = paddings.map(([before]) => before);
  const place = target + offset(strides, start);
  copyBlock(call, x.shape, { address, strides: stridesOf(x.shape) }, { address: place, strides });
  return out;
}

function tile(call: KernelCall, inputs: Inputs, attributes: Attributes): TensorInfo {
  const { x } = inputs as { x: TensorInfo };
  const { reps } = attributes as { reps: number[] };
  const shape = x.shape.map((size, axis) => size * reps[axis]!);
  if (!isWord(x) || isEmpty(shape)) return runStock('Tile', call, inputs, attributes) as TensorInfo;
  const out = call.output(shape, x.dtype as WordType);
  const [from, to] = [stridesOf(x.shape), stridesOf(shape)];
  const axes = x.shape.flatMap((size, axis) => [
    { size: reps[axis]!, from: 0, to: to[axis]! * size },
    { size, from: from[axis]!, to: to[axis]! },
  ]);
  copyStrided(call, call.input(x), call.input(out), axes);
  return out;
}

function reverse(call: KernelCall, inputs: Inputs, attributes: Attributes): TensorInfo {
  const { x } = inputs as { x: TensorInfo };
  const { dims } = attributes as { dims: number | number[] };
  if (!isWord(x) || isEmpty(x.shape) || x.shape.length === 0) {
    return runStock('Reverse', call, inputs, attributes) as TensorInfo;
  }
  const turned = new Set(util.parseAxisParam(dims, x.shape));
  const out = call.output(x.shape, x.dtype as WordType);
  const strides = stridesOf(x.shape);
  const last = x.shape.map((size, axis) => (turned.has(axis) ? size - 1 : 0));
  const from = strides.map((stride, axis) => (turned.has(axis) ? -stride : stride));
  const source = { address: call.input(x) + offset(strides, last), strides: from };
  copyBlock(call, x.shape, source, { address: call.input(out), strides });
  return out;
}

export function defineLayouts(): void {
  defineKernel('Transpose', transpose);
  defineKernel('Slice', slice);
  defineKernel('Concat', concat);
  defineKernel('SplitV', split);
  defineKernel('Pack', pack);
  defineKernel('Unpack', unpack);
  defineKernel('PadV2', pad);
  defineKernel('Tile', tile);
  defineKernel('Reverse', reverse);
}
