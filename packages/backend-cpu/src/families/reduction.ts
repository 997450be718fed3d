/**
 * `Sum` over any run of adjacent axes; the stock JavaScript kernel for the rest.
 */

import { type TensorInfo, util } from '@tensorflow/tfjs-core';
import { isFloat32 } from '../backend.ts';
import { type Attributes, defineKernel, type Inputs, type KernelCall, runStock, smallWork } from '../kernel-call.ts';

function sum(call: KernelCall, inputs: Inputs, attributes: Attributes): TensorInfo {
  const { x } = inputs as { x: TensorInfo };
  const { axis, keepDims } = attributes as { axis: number | number[] | null; keepDims: boolean };
  const axes = util.parseAxisParam(axis ?? x.shape.map((_, index) => index), x.shape).sort((a, b) => a - b);
  const first = axes[0] ?? 0;
  const adjacent = axes.every((value, index) => value === first + index);
  const size = util.sizeFromShape(x.shape);
  if (!isFloat32(x) || !adjacent || axes.length === 0 || size === 0) {
    return runStock('Sum', call, inputs, attributes) as TensorInfo;
  }
  const end = first + axes.length;
  const [outer, middle, inner] = [x.shape.slice(0, first), x.shape.slice(first, end), x.shape.slice(end)];
  const out = call.output([...outer, ...(keepDims ? middle.map(() => 1) : []), ...inner]);
  const [rows, reduced, columns] = [outer, middle, inner].map(shape => util.sizeFromShape(shape)) as [
    number,
    number,
    number,
  ];
  const [from, to] = [call.input(x), call.input(out)];
  const { smallKernels, team } = call.backend;
  if (size <= smallWork) {
    if (columns === 1) smallKernels.sum_inner(from, to, rows, reduced, 0, 0, 1, 0);
    else smallKernels.sum_middle(from, to, rows, reduced, columns, 0, 1, 0);
    return out;
  }
  const threads = team.threadsForFloats(size);
  if (columns === 1) {
    const work = threads === 1 ? 0 : call.scratch(call.kernels.sum_inner_work(rows, reduced, threads));
    team.run('sum_inner', threads, [from, to, rows, reduced, work]);
  } else team.run('sum_middle', threads, [from, to, rows, reduced, columns]);
  return out;
}

export function defineReductions(): void {
  defineKernel('Sum', sum);
}
