/**
 * `Sum`, `Mean`, `Max`, `Min`, `Prod`, `ArgMax` and `ArgMin` of float32, `Any` and `All` of bools, over any axes; the stock
 * JavaScript kernels for other dtypes and empty arrays.
 */

import { type TensorInfo, util } from '@tensorflow/tfjs-core';
import { isFloat32 } from '../backend.ts';
import { type Attributes, defineKernel, type Inputs, type KernelCall, runStock, smallWork } from '../kernel-call.ts';
import type { Address } from '../kernels.ts';
import { type Axis, copyStrided } from './layout.ts';

/** Neighbouring axes that are all reduced or all kept, as one. */
interface Group {
  readonly size: number;
  readonly reduced: boolean;
}

/** Of [rows, reduced, columns] values: those that are neighbours along the axis in the middle become one. */
interface Run {
  readonly rows: number;
  readonly reduced: number;
  readonly columns: number;
}

type Reduce = (call: KernelCall, from: Address, to: Address, run: Run) => void;

const product = (sizes: readonly { readonly size: number }[]): number => sizes.reduce((all, { size }) => all * size, 1);

/** The axes of a reduction in fewest groups, one of them reduced at least. */
function groupsOf(shape: readonly number[], axes: readonly number[]): Group[] {
  const groups: Group[] = [];
  for (const [axis, size] of shape.entries()) {
    if (size === 1) continue;
    const [reduced, last] = [axes.includes(axis), groups.at(-1)];
    if (last?.reduced === reduced) groups[groups.length - 1] = { reduced, size: last.size * size };
    else groups.push({ reduced, size });
  }
  return groups.some(({ reduced }) => reduced) ? groups : [...groups, { reduced: true, size: 1 }];
}

const sumRun: Reduce = (call, from, to, { rows, reduced, columns }) => {
  const { smallKernels, team } = call.backend;
  const size = rows * reduced * columns;
  if (size <= smallWork) {
    if (columns === 1) smallKernels.sum_inner(from, to, rows, reduced, 0, 0, 1, 0);
    else smallKernels.sum_middle(from, to, rows, reduced, columns, 0, 1, 0);
    return;
  }
  const threads = team.threadsForFloats(size);
  if (columns === 1) {
    const work = threads === 1 ? 0 : call.scratch(call.kernels.sum_inner_work(rows, reduced, threads));
    team.run('sum_inner', threads, [from, to, rows, reduced, work]);
  } else team.run('sum_middle', threads, [from, to, rows, reduced, columns]);
};

/** The largest, or with 1 the smallest. */
const extremeRun =
  (smallest: 0 | 1): Reduce =>
  (call, from, to, { rows, reduced, columns }) => {
    const { smallKernels, team } = call.backend;
    const size = rows * reduced * columns;
    if (size <= smallWork) {
      if (columns === 1) smallKernels.extreme_inner(smallest, from, to, rows, reduced, 0, 0, 1, 0);
      else smallKernels.extreme_middle(smallest, from, to, rows, reduced, columns, 0, 1, 0);
      return;
    }
    const threads = team.threadsForFloats(size);
    if (columns === 1) {
      const work = threads === 1 ? 0 : call.scratch(call.kernels.sum_inner_work(rows, reduced, threads));
      team.run('extreme_inner', threads, [smallest, from, to, rows, reduced, work]);
    } else team.run('extreme_middle', threads, [smallest, from, to, rows, reduced, columns]);
  };

const productRun: Reduce = (call, from, to, { rows, reduced, columns }) => {
  const size = rows * reduced * columns;
  if (size <= smallWork) call.backend.smallKernels.product(from, to, rows, reduced, columns, 0, 1, 0);
  else call.share('product', size, [from, to, rows, reduced, columns]);
};

/** Reduces the groups one after the other, the last first, so that each has what is kept behind it in one piece. */
function reduceInTurn(call: KernelCall, from: Address, to: Address, groups: readonly Group[], reduce: Reduce): void {
  let [source, left] = [from, groups];
  for (;;) {
    const at = left.findLastIndex(({ reduced }) => reduced);
    const run = {
      ...{ rows: product(left.slice(0, at)), reduced: left[at]!.size },
      columns: product(left.slice(at + 1)),
    };
    left = left.toSpliced(at, 1);
    const last = !left.some(({ reduced }) => reduced);
    const target = last ? to : call.scratch(run.rows * run.columns);
    reduce(call, source, target, run);
    if (last) return;
    source = target;
  }
}

/** Products in one go, so that only the whole one is rounded: what is reduced is moved behind what is kept. */
function multiply(call: KernelCall, from: Address, to: Address, groups: readonly Group[]): void {
  if (groups.filter(({ reduced }) => reduced).length === 1) {
    reduceInTurn(call, from, to, groups, productRun);
    return;
  }
  const [rows, reduced] = [product(groups.filter(group => !group.reduced)), product(groups.filter(g => g.reduced))];
  const axes: Axis[] = [];
  let stride = 1;
  const next = { kept: reduced, reduced: 1 };
  for (const group of groups.toReversed()) {
    const kind = group.reduced ? 'reduced' : 'kept';
    axes.unshift({ size: group.size, from: stride, to: next[kind] });
    stride *= group.size;
    next[kind] *= group.size;
  }
  const moved = call.scratch(stride);
  copyStrided(call, from, moved, axes);
  productRun(call, moved, to, { rows, reduced, columns: 1 });
}

/** `reduce` over the axes; undefined where that is not of the dtype, or empty. */
function overAxes(
  call: KernelCall,
  x: TensorInfo,
  { axis, keepDims }: { axis: number | number[] | null; keepDims: boolean },
  reduce: (call: KernelCall, from: Address, to: Address, groups: readonly Group[]) => void,
  dtype: 'float32' | 'bool' = 'float32',
): TensorInfo | undefined {
  const axes = util.parseAxisParam(axis ?? x.shape.map((_, index) => index), x.shape);
  if (x.dtype !== dtype || axes.length === 0 || x.shape.includes(0)) return undefined;
  const kept = x.shape.flatMap((size, index) => (axes.includes(index) ? (keepDims ? [1] : []) : [size]));
  const out = call.output(kept, dtype);
  reduce(call, call.input(x), call.input(out), groupsOf(x.shape, axes));
  return out;
}

const inTurn =
  (reduce: Reduce) =>
  (call: KernelCall, from: Address, to: Address, groups: readonly Group[]): void =>
    reduceInTurn(call, from, to, groups, reduce);

type Ours = (call: KernelCall, x: TensorInfo, attributes: Attributes) => TensorInfo | undefined;

const sum: Ours = (call, x, attributes) => overAxes(call, x, attributes as never, inTurn(sumRun));

/** The sum, divided by how many values each element of it has. */
const mean: Ours = (call, x, attributes) => {
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
};

/** Of `enum Binary` in kernels/elementwise.c. */
const divide = 3;

const max: Ours = (call, x, { reductionIndices, keepDims }) =>
  overAxes(call, x, { axis: reductionIndices, keepDims } as never, inTurn(extremeRun(0)));
const min: Ours = (call, x, attributes) => overAxes(call, x, attributes as never, inTurn(extremeRun(1)));
const prod: Ours = (call, x, attributes) => overAxes(call, x, attributes as never, multiply);

/** Whether any is true, or with 1 all are. */
const anyRun =
  (all: 0 | 1): Reduce =>
  (call, from, to, { rows, reduced, columns }) => {
    const size = rows * reduced * columns;
    if (size <= 4 * smallWork) call.backend.smallKernels.any_all(all, from, to, rows, reduced, columns, 0, 1, 0);
    else call.share('any_all', size / 4, [all, from, to, rows, reduced, columns]);
  };
const anyOrAll =
  (all: 0 | 1): Ours =>
  (call, x, attributes) =>
    overAxes(call, x, attributes as never, inTurn(anyRun(all)), 'bool');

/** The place of the largest along one axis, or with 1 of the smallest. */
const argExtreme =
  (smallest: 0 | 1): Ours =>
  (call, x, attributes) => {
    const axis = util.parseAxisParam((attributes as { axis: number }).axis, x.shape)[0];
    if (!isFloat32(x) || axis === undefined || x.shape.includes(0)) return undefined;
    const [outer, inner] = [x.shape.slice(0, axis), x.shape.slice(axis + 1)];
    const out = call.output([...outer, ...inner], 'int32');
    const sizes = [util.sizeFromShape(outer), x.shape[axis]!, util.sizeFromShape(inner)] as const;
    const [from, to, size] = [call.input(x), call.input(out), sizes[0] * sizes[1] * sizes[2]];
    if (size <= smallWork) call.backend.smallKernels.arg_extreme(smallest, from, to, ...sizes, 0, 1, 0);
    else call.share('arg_extreme', size, [smallest, from, to, ...sizes]);
    return out;
  };

const reductions: Record<string, Ours> = {
  ...{ Sum: sum, Mean: mean, Max: max, Min: min, Prod: prod },
  ...{ ArgMax: argExtreme(0), ArgMin: argExtreme(1), Any: anyOrAll(0), All: anyOrAll(1) },
};

export function defineReductions(): void {
  for (const [name, reduce] of Object.entries(reductions)) {
    defineKernel(name, (call: KernelCall, inputs: Inputs, attributes: Attributes) => {
      const { x } = inputs as { x: TensorInfo };
      return reduce(call, x, attributes) ?? runStock(name, call, inputs, attributes);
    });
  }
}
