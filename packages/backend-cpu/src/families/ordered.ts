/**
 * What goes along an axis in order: `Cumsum` of float32 and int32, `Cumprod` and `TopK` of float32. The stock JavaScript kernels for
 * other dtypes and empty arrays.
 */

import { type TensorInfo, util } from '@tensorflow/tfjs-core';
import { isFloat32 } from '../backend.ts';
import { type Attributes, defineKernel, type Inputs, type KernelCall, runStock, smallWork } from '../kernel-call.ts';

/** Codes of `enum Cumulation` in kernels/cumulation.c. */
const cumulations: Record<string, { readonly float32: number; readonly int32?: number }> = {
  Cumsum: { float32: 0, int32: 2 },
  Cumprod: { float32: 1 },
};

function cumulate(name: string, call: KernelCall, inputs: Inputs, attributes: Attributes): TensorInfo {
  const { x } = inputs as { x: TensorInfo };
  const { axis, exclusive, reverse } = attributes as { axis: number; exclusive: boolean; reverse: boolean };
  const operation = cumulations[name]![x.dtype as 'float32' | 'int32'];
  if (operation === undefined || x.shape.length === 0 || x.shape.includes(0))
    return runStock(name, call, inputs, attributes) as TensorInfo;
  const at = util.parseAxisParam(axis, x.shape)[0]!;
  const out = call.output(x.shape, x.dtype as 'float32' | 'int32');
  const [outer, inner] = [util.sizeFromShape(x.shape.slice(0, at)), util.sizeFromShape(x.shape.slice(at + 1))];
  const sizes = [outer, x.shape[at]!, inner, Number(exclusive), Number(reverse)] as const;
  const [from, to, size] = [call.input(x), call.input(out), util.sizeFromShape(x.shape)];
  if (size <= smallWork) call.backend.smallKernels.cumulate(operation, from, to, ...sizes, 0, 1, 0);
  else call.share('cumulate', 2 * size, [operation, from, to, ...sizes]);
  return out;
}

/**
 * The k largest along the last axis, in falling order whether asked for or not, and their places; of equals the first. NaN is
 * behind every number (the stock kernel's order with NaN is arbitrary).
 */
function topK(call: KernelCall, inputs: Inputs, attributes: Attributes): TensorInfo[] {
  const { x } = inputs as { x: TensorInfo };
  const { k } = attributes as { k: number };
  const [size, rest] = [x.shape.at(-1) ?? 0, x.shape.slice(0, -1)];
  if (!isFloat32(x) || x.shape.includes(0) || !(k >= 1 && k <= size))
    return runStock('TopK', call, inputs, attributes) as TensorInfo[];
  const values = call.output([...rest, k]);
  const places = call.output([...rest, k], 'int32');
  const rows = util.sizeFromShape(rest);
  const operands = [call.input(x), call.input(values), call.input(places), rows, size, k] as const;
  if (rows * size <= smallWork) call.backend.smallKernels.top_k(...operands, 0, 1, 0);
  else call.share('top_k', 2 * rows * size, [...operands]);
  return [values, places];
}

export function defineOrdered(): void {
  for (const name of Object.keys(cumulations))
    defineKernel(name, (call, inputs, attributes) => cumulate(name, call, inputs, attributes));
  defineKernel('TopK', topK);
}
