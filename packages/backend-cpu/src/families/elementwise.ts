/**
 * Arithmetic and functions on every element, with the stock JavaScript kernel for whatever is not float32;
 * `OstinatoGelu`, `OstinatoSilu`, `OstinatoDropout`.
 */

import { broadcast_util, type TensorInfo, util } from '@tensorflow/tfjs-core';
import { isFloat32 } from '../backend.ts';
import { type Attributes, defineKernel, type Inputs, type KernelCall, runStock, smallWork } from '../kernel-call.ts';
import { broadcast } from './broadcast.ts';

/** Codes of `enum Binary` in kernels/elementwise.c. */
const binaryOperations = {
  Add: 0,
  Sub: 1,
  Multiply: 2,
  RealDiv: 3,
  Maximum: 4,
  Minimum: 5,
  SquaredDifference: 6,
  Prelu: 7,
  EluGrad: 8,
};

/** Names of the operands that are not called a and b. */
const operandNames: Record<string, readonly [string, string]> = { Prelu: ['x', 'alpha'], EluGrad: ['dy', 'y'] };

/** Codes of `enum Unary` in kernels/elementwise.c. */
const unaryOperations = {
  Square: 0,
  Sqrt: 1,
  Exp: 2,
  Tanh: 3,
  Sigmoid: 4,
  Relu: 5,
  Neg: 6,
  Abs: 7,
  Relu6: 10,
  Log: 12,
  Erf: 13,
  Rsqrt: 15,
  Reciprocal: 16,
  Floor: 17,
  Ceil: 18,
  Sign: 19,
  Expm1: 20,
  Log1p: 21,
  Elu: 22,
  Softplus: 23,
};

/** Codes of `enum Pieces` in kernels/elementwise.c. */
const pieces = { clip: 0, slopes: 1, steps: 2 };
const gelu = { none: 8, tanh: 9 };
const silu = 11;
/** 1 where x > 0, else 0; the slope of ReLU. */
const step = 14;

/** What a function costs, in floats read or written in the same time: two, or more where it computes. */
const unaryCost = [2, 3, 6, 9, 8, 2, 2, 2, 18, 12, 2, 10, 10, 16, 2, 3, 3, 3, 2, 3, 8, 12, 8, 18];

/** Codes of the activations that a fused kernel may apply, by the names that ops give them. */
export const activations: Record<string, number | undefined> = {
  ...{ relu: 5, relu6: 10, sigmoid: 4, tanh: 3, silu },
  ...{ gelu: gelu.none, 'gelu-tanh': gelu.tanh },
};

/** How the operands of a broadcast binary operation lie in rows × columns; strides are 0 or the natural ones. */
export interface BroadcastPlan {
  rows: number;
  columns: number;
  aRow: number;
  aColumn: number;
  bRow: number;
  bColumn: number;
}

/**
 * Whether the output is rows × columns such that each operand is whole, one row, one column or one value; the usual cases of
 * broadcasting are. The split is the one of the smaller operand.
 */
export function broadcastPlan(
  a: readonly number[],
  b: readonly number[],
  out: readonly number[],
): BroadcastPlan | undefined {
  const size = util.sizeFromShape([...out]);
  for (let axis = 0; axis <= out.length; axis++) {
    const rows = util.sizeFromShape(out.slice(0, axis));
    const columns = size / Math.max(rows, 1);
    const [left, right] = [a, b].map(shape => operandStrides(shape, out, axis, columns));
    if (!left || !right) continue;
    return { rows, columns, aRow: left.row, aColumn: left.column, bRow: right.row, bColumn: right.column };
  }
  return undefined;
}

/** Strides of an operand when the output is cut into rows and columns at `axis`; undefined when it does not fit. */
function operandStrides(shape: readonly number[], out: readonly number[], axis: number, columns: number) {
  const padded = [...new Array<number>(out.length - shape.length).fill(1), ...shape];
  const whole = (from: number, to: number) => padded.slice(from, to).every((size, index) => size === out[from + index]);
  const single = (from: number, to: number) => padded.slice(from, to).every(size => size === 1);
  const column = whole(axis, out.length) ? 1 : single(axis, out.length) ? 0 : undefined;
  const repeated = single(0, axis);
  if (column === undefined || !(repeated || whole(0, axis))) return undefined;
  return { row: repeated ? 0 : column === 1 ? columns : 1, column };
}

function defineBinary(name: keyof typeof binaryOperations): void {
  const operation = binaryOperations[name];
  const [first, second] = operandNames[name] ?? ['a', 'b'];
  defineKernel(name, (call, inputs, attributes) => {
    const [a, b] = [inputs[first]!, inputs[second]!];
    if (!isFloat32(a) || !isFloat32(b)) return runStock(name, call, inputs, attributes);
    if (util.arraysEqual(a.shape, b.shape)) {
      const size = util.sizeFromShape(a.shape);
      const out = call.output(a.shape);
      const [left, right, target] = [call.input(a), call.input(b), call.input(out)];
      if (size <= smallWork)
        call.backend.smallKernels.binary(operation, left, 0, 1, right, 0, 1, target, 1, size, 0, 1, 0);
      else call.share('binary', 3 * size, [operation, left, 0, 1, right, 0, 1, target, 1, size]);
      return out;
    }
    const shape = broadcast_util.assertAndGetBroadcastShape(a.shape, b.shape);
    const size = util.sizeFromShape(shape);
    const out = call.output(shape);
    if (size === 0) return out;
    const plan = broadcastPlan(a.shape, b.shape, shape);
    if (!plan) {
      broadcast(call, 'binary_broadcast', operation, a, b, out);
      return out;
    }
    const { rows, columns, aRow, aColumn, bRow, bColumn } = plan;
    const [left, right, target] = [call.input(a), call.input(b), call.input(out)];
    const places = [operation, left, aRow, aColumn, right, bRow, bColumn, target, rows, columns] as const;
    if (size <= smallWork) call.backend.smallKernels.binary(...places, 0, 1, 0);
    else call.share('binary', 3 * size, [...places]);
    return out;
  });
}

function unary(call: KernelCall, operation: number, x: TensorInfo): TensorInfo {
  const out = call.output(x.shape);
  const size = util.sizeFromShape(x.shape);
  const [from, to] = [call.input(x), call.input(out)];
  if (size <= smallWork) call.backend.smallKernels.unary(operation, from, to, size, 0, 1, 0);
  else call.share('unary', unaryCost[operation]! * size, [operation, from, to, size]);
  return out;
}

function defineUnary(name: keyof typeof unaryOperations): void {
  defineKernel(name, (call, inputs, attributes) => {
    const { x } = inputs as { x: TensorInfo };
    return isFloat32(x) ? unary(call, unaryOperations[name], x) : runStock(name, call, inputs, attributes);
  });
}

/** A function that is linear or constant in pieces. */
function inPieces(call: KernelCall, operation: number, x: TensorInfo, low: number, high: number): TensorInfo {
  const out = call.output(x.shape);
  const size = util.sizeFromShape(x.shape);
  const values = [operation, call.input(x), call.input(out), size, low, high] as const;
  if (size <= smallWork) call.backend.smallKernels.pieces(...values, 0, 1, 0);
  else call.share('pieces', 2 * size, [...values]);
  return out;
}

/** Softmax over the last axis, as the stock kernel. */
function softmax(call: KernelCall, inputs: Inputs, attributes: Attributes): TensorInfo {
  const { logits } = inputs as { logits: TensorInfo };
  const { dim } = attributes as { dim: number };
  const rank = logits.shape.length;
  if (!isFloat32(logits) || (dim !== rank - 1 && dim !== -1))
    return runStock('Softmax', call, inputs, attributes) as TensorInfo;
  const columns = logits.shape[rank - 1]!;
  const out = call.output(logits.shape);
  const rows = util.sizeFromShape(logits.shape.slice(0, -1));
  if (columns > 0) call.share('softmax', 12 * rows * columns, [call.input(logits), call.input(out), rows, columns]);
  return out;
}

/** Σ of float32 tensors of one shape. */
function addN(call: KernelCall, inputs: Inputs, attributes: Attributes): TensorInfo {
  const tensors = Object.values(inputs);
  const [first, second, ...rest] = tensors as [TensorInfo, ...TensorInfo[]];
  if (!tensors.every(isFloat32) || !second) return runStock('AddN', call, inputs, attributes) as TensorInfo;
  const out = call.output(first.shape);
  const [target, size] = [call.input(out), util.sizeFromShape(first.shape)];
  const { Add } = binaryOperations;
  call.share('binary', 3 * size, [Add, call.input(first), 0, 1, call.input(second), 0, 1, target, 1, size]);
  for (const tensor of rest) {
    call.share('binary', 3 * size, [Add, target, 0, 1, call.input(tensor), 0, 1, target, 1, size]);
  }
  return out;
}

/** input, dOutput → dInput. */
function geluGradient(call: KernelCall, inputs: Inputs, { approximate }: Attributes): TensorInfo {
  const { input, dOutput } = inputs as Record<'input' | 'dOutput', TensorInfo>;
  const dInput = call.output(input.shape);
  const size = util.sizeFromShape(input.shape);
  const isTanh = Number(approximate === 'tanh');
  const addresses = [call.input(input), call.input(dOutput), call.input(dInput)] as const;
  call.share('gelu_backward', 24 * size, [isTanh, ...addresses, size]);
  return dInput;
}

/** input, dOutput → dInput. */
function siluGradient(call: KernelCall, inputs: Inputs): TensorInfo {
  const { input, dOutput } = inputs as Record<'input' | 'dOutput', TensorInfo>;
  const dInput = call.output(input.shape);
  const size = util.sizeFromShape(input.shape);
  const addresses = [call.input(input), call.input(dOutput), call.input(dInput)] as const;
  call.share('silu_backward', 12 * size, [...addresses, size]);
  return dInput;
}

function dropout(call: KernelCall, inputs: Inputs, attributes: Attributes): TensorInfo {
  const { input } = inputs as { input: TensorInfo };
  const { rate, key } = attributes as { rate: number; key: [number, number] };
  const output = call.output(input.shape);
  const size = util.sizeFromShape(input.shape);
  call.share('dropout', 12 * size, [call.input(input), call.input(output), size, rate, key[0], key[1]]);
  return output;
}

export function defineElementwise(): void {
  for (const name of Object.keys(binaryOperations)) defineBinary(name as keyof typeof binaryOperations);
  for (const name of Object.keys(unaryOperations)) defineUnary(name as keyof typeof unaryOperations);
  defineKernel('Step', (call, inputs, attributes) => {
    const { x } = inputs as { x: TensorInfo };
    const { alpha } = attributes as { alpha: number };
    if (!isFloat32(x)) return runStock('Step', call, inputs, attributes);
    return alpha === 0 ? unary(call, step, x) : inPieces(call, pieces.steps, x, alpha, 1);
  });
  defineKernel('LeakyRelu', (call, inputs, attributes) => {
    const { x } = inputs as { x: TensorInfo };
    const { alpha } = attributes as { alpha: number };
    return isFloat32(x) ? inPieces(call, pieces.slopes, x, alpha, 1) : runStock('LeakyRelu', call, inputs, attributes);
  });
  defineKernel('ClipByValue', (call, inputs, attributes) => {
    const { x } = inputs as { x: TensorInfo };
    const { clipValueMin, clipValueMax } = attributes as { clipValueMin: number; clipValueMax: number };
    return isFloat32(x)
      ? inPieces(call, pieces.clip, x, clipValueMin, clipValueMax)
      : runStock('ClipByValue', call, inputs, attributes);
  });
  defineKernel('Softmax', softmax);
  defineKernel('AddN', addN);
  defineKernel('OstinatoGelu', (call, { input }, { approximate }) =>
    unary(call, gelu[approximate as 'none' | 'tanh'], input!),
  );
  defineKernel('OstinatoGeluGrad', geluGradient);
  defineKernel('OstinatoSilu', (call, { input }) => unary(call, silu, input!));
  defineKernel('OstinatoSiluGrad', siluGradient);
  defineKernel('OstinatoDropout', dropout);
}
