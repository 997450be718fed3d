/** Two operands of any shapes that broadcast together, for the kernels that take a plan (kernels/broadcast.h). */

import { type TensorInfo, util } from '@tensorflow/tfjs-core';
import { type KernelCall, smallWork } from '../kernel-call.ts';

/** Steps along the axes of `out` of an operand that is repeated along those it lacks. */
function stepsOf(shape: readonly number[], out: readonly number[]): number[] {
  const steps = new Array<number>(out.length).fill(0);
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] === 1) continue;
    steps[axis + out.length - shape.length] = step;
    step *= shape[axis]!;
  }
  return steps;
}

/** Size and steps of each axis, in the fewest axes, two at least. */
function planOf(a: readonly number[], b: readonly number[], out: readonly number[]): number[] {
  const [left, right] = [stepsOf(a, out), stepsOf(b, out)];
  const axes: [number, number, number][] = [];
  for (const [axis, size] of out.entries()) {
    if (size === 1) continue;
    const [stepA, stepB] = [left[axis]!, right[axis]!];
    const last = axes.at(-1);
    if (last && last[1] === stepA * size && last[2] === stepB * size)
      axes[axes.length - 1] = [last[0] * size, stepA, stepB];
    else axes.push([size, stepA, stepB]);
  }
  while (axes.length < 2) axes.unshift([1, 0, 0]);
  return axes.flat();
}

/** out = a ∘ b, where out is of the shape that both broadcast to and not empty. */
export function broadcast(
  call: KernelCall,
  kernel: 'binary_broadcast' | 'compare' | 'logical',
  operation: number,
  a: TensorInfo,
  b: TensorInfo,
  out: TensorInfo,
): void {
  const plan = planOf(a.shape, b.shape, out.shape);
  const address = call.scratch(plan.length);
  new Int32Array(call.backend.kernelMemory.buffer, address, plan.length).set(plan);
  const size = util.sizeFromShape(out.shape);
  const values = [operation, call.input(a), call.input(b), call.input(out), address, plan.length / 3] as const;
  if (size <= smallWork) call.backend.smallKernels[kernel](...values, 0, 1, 0);
  else call.share(kernel, 3 * size, [...values]);
}
