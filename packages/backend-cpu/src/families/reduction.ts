/**
 * `Sum` and `Mean` over any run of adjacent axes; the stock JavaScript kernel for the rest.
 */

import { type TensorInfo, util } from '@tensorflow/tfjs-core';
import { isFloat32 } from '../backend.ts';
import { defineKernel, type KernelCall, runStock, smallWork } from '../kernel-call.ts';

interface ReductionAttributes {
  readonly axis: number | number[] | null;
  readonly keepDims: boolean;
}

/** The sum over adjacent axes of float32 values; undefined where that is not what is asked for. */
function sum(call: KernelCall, x: TensorInfo, { axis, keepDims }: ReductionAttributes): TensorInfo | undefined {
  const axes = util.parseAxisParam(axis ?? x.shape.map((_, index) => index), x.shape).sort((a, b) => a - b);
  const first = axes[0] ?? 0;
  const adjacent = axes.every((value, index) => value === first + index);
  const size = util.sizeFromShape(x.shape);
  if (!isFloat32(x) || !adjacent || axes.length === 0 || size === 0) return undefined;
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

/** The sum, divided by how many values each element of it has. */
function mean(call: KernelCall, x: TensorInfo, attributes: ReductionAttributes): TensorInfo | undefined {
  const out = sum(call, x, attributes);
  if (!out) return undefined;
  const size = util.sizeFromShape(out.shape);
  const count = call.scratch(1);
  new Float32Array(call.backend.kernelMemory.buffer, count, 1)[0] = util.sizeFromShape(x.shape) / size;
  const target = call.input(out);
  if (size <= smallWork) {
    call.backend.smallKernels.binary(divide, target, 0, 1, count, 0, 0, target, 1, size, 0, 1, 0);
  } else call.share('binary', 2 * size, [divide, target, 0, 1, count, 0, 0, target, 1, size]);
  return out;
}

/** Of `enum Binary` in kernels/elementwise.c. */
const divide = 3;

export function defineReductions(): void {
  for (const [name, reduce] of Object.entries({ Sum: sum, Mean: mean })) {
    defineKernel(name, (call, inputs, attributes) => {
      const { x } = inputs as { x: TensorInfo };
      const ours = reduce(call, x, attributes as unknown as ReductionAttributes);
      return ours ?? runStock(name, call, inputs, attributes);
    });
  }
}
