/**
 * Comparisons of float32, choices by bools (`Select`), logic of bools, and `Cast` between float32, int32 and bool. Other dtypes
 * run the stock JavaScript kernels.
 */

import { broadcast_util, type DataType, type TensorInfo, util } from '@tensorflow/tfjs-core';
import { isFloat32 } from '../backend.ts';
import { type Attributes, defineKernel, type Inputs, type KernelCall, runStock, smallWork } from '../kernel-call.ts';
import { broadcast } from './broadcast.ts';

/** Codes of `enum Comparison` in kernels/comparison.c, and whether the operands change places. */
const comparisons: Record<string, readonly [number, boolean]> = {
  Equal: [0, false],
  NotEqual: [1, false],
  Less: [2, false],
  LessEqual: [3, false],
  Greater: [2, true],
  GreaterEqual: [3, true],
};
const notEqual = 1;

/** Codes of `enum Logical` in kernels/comparison.c. */
const logic = { LogicalAnd: 0, LogicalOr: 1 };
const logicalNot = 2;

/** Codes of `enum Conversion` in kernels/comparison.c. */
const conversions: Partial<Record<DataType, Partial<Record<DataType, number>>>> = {
  bool: { float32: 0, int32: 1 },
  float32: { int32: 2 },
  int32: { float32: 3 },
};

const isBool = ({ dtype }: TensorInfo): boolean => dtype === 'bool';

/** a ∘ b as bools. */
function bools(call: KernelCall, kernel: 'compare' | 'logical', operation: number, a: TensorInfo, b: TensorInfo) {
  const out = call.output(broadcast_util.assertAndGetBroadcastShape(a.shape, b.shape), 'bool');
  if (util.sizeFromShape(out.shape) > 0) broadcast(call, kernel, operation, a, b, out);
  return out;
}

/** As the stock kernel: what is taken from `t` and `e` is of their shape, and so is the condition, but for a special case. */
function select(call: KernelCall, inputs: Inputs, attributes: Attributes): TensorInfo {
  const { condition, t, e } = inputs as Record<'condition' | 't' | 'e', TensorInfo>;
  const isWord = t.dtype === e.dtype && (t.dtype === 'float32' || t.dtype === 'int32');
  const isWhole = util.arraysEqual(condition.shape, t.shape) && util.arraysEqual(t.shape, e.shape);
  if (!isBool(condition) || !isWord || !isWhole) return runStock('Select', call, inputs, attributes) as TensorInfo;
  const size = util.sizeFromShape(t.shape);
  const out = call.output(t.shape, t.dtype as 'float32' | 'int32');
  const values = [call.input(condition), call.input(t), call.input(e), call.input(out), size] as const;
  if (size <= smallWork) call.backend.smallKernels.select_words(...values, 0, 1, 0);
  else call.share('select_words', 4 * size, [...values]);
  return out;
}

/** Values of another dtype, as the stock kernel gives them: towards 0 and modulo 2³² into int32, 1 for what is not 0 into bool. */
function cast(call: KernelCall, inputs: Inputs, attributes: Attributes): TensorInfo {
  const { x } = inputs as { x: TensorInfo };
  const { dtype } = attributes as { dtype: DataType };
  const size = util.sizeFromShape(x.shape);
  if (isFloat32(x) && dtype === 'bool') {
    const out = call.output(x.shape, 'bool');
    const zero = call.zeros([]);
    if (size > 0) broadcast(call, 'compare', notEqual, x, zero, out);
    call.backend.disposeData(zero.dataId);
    return out;
  }
  const operation = conversions[x.dtype]?.[dtype];
  if (operation === undefined) return runStock('Cast', call, inputs, attributes) as TensorInfo;
  const out = call.output(x.shape, dtype as 'float32' | 'int32');
  const values = [operation, call.input(x), call.input(out), size] as const;
  if (size <= smallWork) call.backend.smallKernels.convert(...values, 0, 1, 0);
  else call.share('convert', 2 * size, [...values]);
  return out;
}

export function defineComparisons(): void {
  for (const [name, [operation, swaps]] of Object.entries(comparisons)) {
    defineKernel(name, (call, inputs, attributes) => {
      const { a, b } = inputs as { a: TensorInfo; b: TensorInfo };
      if (!isFloat32(a) || !isFloat32(b)) return runStock(name, call, inputs, attributes);
      return swaps ? bools(call, 'compare', operation, b, a) : bools(call, 'compare', operation, a, b);
    });
  }
  for (const [name, operation] of Object.entries(logic)) {
    defineKernel(name, (call, inputs, attributes) => {
      const { a, b } = inputs as { a: TensorInfo; b: TensorInfo };
      if (!isBool(a) || !isBool(b)) return runStock(name, call, inputs, attributes);
      return bools(call, 'logical', operation, a, b);
    });
  }
  defineKernel('LogicalNot', (call, inputs, attributes) => {
    const { x } = inputs as { x: TensorInfo };
    return isBool(x) ? bools(call, 'logical', logicalNot, x, x) : runStock('LogicalNot', call, inputs, attributes);
  });
  // Only a NaN differs from itself.
  defineKernel('IsNan', (call, inputs, attributes) => {
    const { x } = inputs as { x: TensorInfo };
    return isFloat32(x) ? bools(call, 'compare', notEqual, x, x) : runStock('IsNan', call, inputs, attributes);
  });
  defineKernel('Select', select);
  defineKernel('Cast', cast);
}
