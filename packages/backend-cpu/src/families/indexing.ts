/**
 * `GatherV2` of float32 and int32, and `UnsortedSegmentSum`, its gradient, of float32 by a vector of segments. Sums are taken
 * in the order of the rows. The stock JavaScript kernels for the rest.
 */

import { backend_util, type TensorInfo, util } from '@tensorflow/tfjs-core';
import { isFloat32 } from '../backend.ts';
import { type Attributes, defineKernel, type Inputs, type KernelCall, runStock, smallWork } from '../kernel-call.ts';
import { isWord } from './layout.ts';

function gather(call: KernelCall, inputs: Inputs, attributes: Attributes): TensorInfo | TensorInfo[] {
  const { x, indices } = inputs as { x: TensorInfo; indices: TensorInfo };
  const { axis, batchDims } = attributes as { axis: number; batchDims: number };
  const at = util.parseAxisParam(axis, x.shape)[0]!;
  const size = x.shape[at]!;
  const values = call.values(indices);
  const empty = x.shape.includes(0) || indices.shape.includes(0);
  let inside = !empty && isWord(x) && indices.dtype === 'int32';
  for (let i = 0; inside && i < values.length; i++) inside = values[i]! >= 0 && values[i]! < size;
  // Which says what is wrong with an index outside.
  if (!inside) return runStock('GatherV2', call, inputs, attributes);
  const info = backend_util.segment_util.collectGatherOpShapeInfo(x as never, indices as never, at, batchDims ?? 0);
  const { batchSize, outerSize, dimSize, sliceSize, outputShape } = info;
  const out = call.output(outputShape, x.dtype as 'float32' | 'int32');
  const [from, ids, to] = [call.input(x), call.input(indices), call.input(out)];
  const sizes = [batchSize, outerSize, dimSize, util.sizeFromShape(indices.shape) / batchSize, sliceSize] as const;
  const words = util.sizeFromShape(outputShape);
  if (words <= smallWork) call.backend.smallKernels.gather_slices(from, ids, to, ...sizes, 0, 1, 0);
  else call.share('gather_slices', 2 * words, [from, ids, to, ...sizes]);
  return out;
}

/** x [N, …], segmentIds [N] → [numSegments, …]; rows of a segment that does not exist are left out, as by the stock kernel. */
function segmentSum(call: KernelCall, inputs: Inputs, attributes: Attributes): TensorInfo | TensorInfo[] {
  const { x, segmentIds } = inputs as { x: TensorInfo; segmentIds: TensorInfo };
  const { numSegments } = attributes as { numSegments: number };
  const [rows, ...rest] = x.shape;
  const plain = segmentIds.dtype === 'int32' && segmentIds.shape.length === 1 && segmentIds.shape[0] === rows;
  if (!isFloat32(x) || !plain || x.shape.includes(0) || !(Number.isInteger(numSegments) && numSegments > 0))
    return runStock('UnsortedSegmentSum', call, inputs, attributes);
  const out = call.output([numSegments, ...rest]);
  const width = util.sizeFromShape(rest);
  const [ids, from, to] = [call.input(segmentIds), call.input(x), call.input(out)];
  const floats = (numSegments + 3 * rows!) * width;
  if (floats <= smallWork)
    call.backend.smallKernels.embedding_scatter(ids, from, to, rows!, width, numSegments, -1, 0, 1, 0);
  else call.share('embedding_scatter', floats, [ids, from, to, rows!, width, numSegments, -1]);
  return out;
}

export function defineIndexing(): void {
  defineKernel('GatherV2', gather);
  defineKernel('UnsortedSegmentSum', segmentSum);
}
