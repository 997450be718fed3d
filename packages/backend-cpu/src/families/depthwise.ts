/**
 * Depthwise convolution over images [N, H, W, C]: `DepthwiseConv2dNative`, `FusedDepthwiseConv2D` and the two gradients, of
 * float32. Where a channel has several filters it is repeated first, so that each has one. Channels first go to the stock kernel.
 */

import { backend_util, type TensorInfo, util } from '@tensorflow/tfjs-core';
import { isFloat32 } from '../backend.ts';
import { type Attributes, defineKernel, type Inputs, type KernelCall, runStock } from '../kernel-call.ts';
import type { Address } from '../kernels.ts';
import { copyStrided } from './layout.ts';
import { finishProduct } from './matmul.ts';

interface DepthwiseAttributes {
  readonly strides: number | [number, number];
  readonly pad: Parameters<typeof backend_util.computeConv2DInfo>[4];
  readonly dataFormat?: 'NHWC' | 'NCHW';
  readonly dilations?: number | [number, number] | null;
  readonly dimRoundingMode?: 'floor' | 'round' | 'ceil';
}

type Shape4D = [number, number, number, number];

/** Sizes of a convolution, also in the memory of the kernels, in the order of `struct Depthwise` in kernels/depthwise.c. */
interface Depthwise extends backend_util.Conv2DInfo {
  readonly shape: Address;
  readonly threads: number;
  /** Filters of each channel. */
  readonly multiplier: number;
}

function depthwiseOf(
  call: KernelCall,
  inputShape: readonly number[],
  filterShape: readonly number[],
  attributes: Attributes,
): Depthwise {
  const { strides, pad, dilations, dimRoundingMode } = attributes as unknown as DepthwiseAttributes;
  const dilated = dilations ?? 1;
  util.assert(
    backend_util.eitherStridesOrDilationsAreOne(strides, dilated),
    () =>
      'Error in depthwiseConv2d: Either strides or dilations must be ' +
      `1. Got strides ${strides} and dilations '${dilated}'`,
  );
  const [input, filter] = [inputShape as Shape4D, filterShape as Shape4D];
  const info = backend_util.computeConv2DInfo(input, filter, strides, dilated, pad, dimRoundingMode, true);
  const shape = call.scratch(14);
  new Int32Array(call.backend.kernelMemory.buffer, shape, 14).set([
    ...[info.batchSize, info.inHeight, info.inWidth, info.outChannels, info.outHeight, info.outWidth],
    ...[info.filterHeight, info.filterWidth, info.strideHeight, info.strideWidth],
    ...[info.dilationHeight, info.dilationWidth, info.padInfo.top, info.padInfo.left],
  ]);
  const operations = 2 * util.sizeFromShape(info.outShape) * info.filterHeight * info.filterWidth;
  const multiplier = info.outChannels / info.inChannels;
  return { ...info, shape, threads: call.backend.team.threadsFor(operations), multiplier };
}

const isOurs = (tensors: readonly TensorInfo[], { dataFormat }: Attributes): boolean =>
  (dataFormat === undefined || dataFormat === 'NHWC') &&
  tensors.every(tensor => isFloat32(tensor) && !tensor.shape.includes(0));

/** x [N, H, W, C] with each channel `multiplier` times. */
function repeated(call: KernelCall, x: TensorInfo, multiplier: number): Address {
  if (multiplier === 1) return call.input(x);
  const size = util.sizeFromShape(x.shape);
  const target = call.scratch(size * multiplier);
  copyStrided(call, call.input(x), target, [
    { size, from: 1, to: multiplier },
    { size: multiplier, from: 0, to: 1 },
  ]);
  return target;
}

/** x [N, H, W, C], filter [h, w, C, M] → [N, H', W', C·M]; undefined where that is empty. */
function depthwise(
  call: KernelCall,
  x: TensorInfo,
  filter: TensorInfo,
  attributes: Attributes,
): TensorInfo | undefined {
  const { outShape, shape, threads, multiplier } = depthwiseOf(call, x.shape, filter.shape, attributes);
  if (outShape.includes(0)) return undefined;
  const source = repeated(call, x, multiplier);
  const output = call.output(outShape);
  call.backend.team.run('depthwise', threads, [source, call.input(filter), call.input(output), shape]);
  return output;
}

/** activation(convolution + bias). */
function fusedDepthwise(call: KernelCall, inputs: Inputs, attributes: Attributes): TensorInfo {
  const { x, filter, bias, preluActivationWeights } = inputs as Record<'x' | 'filter', TensorInfo> &
    Partial<Record<'bias' | 'preluActivationWeights', TensorInfo>>;
  const stock = (): TensorInfo => runStock('FusedDepthwiseConv2D', call, inputs, attributes) as TensorInfo;
  if (!isOurs(bias ? [x, filter, bias] : [x, filter], attributes)) return stock();
  const output = depthwise(call, x, filter, attributes);
  return (output && finishProduct(call, output, { bias, preluActivationWeights, ...attributes })) ?? stock();
}

/** dy [N, H', W', C·M], filter [h, w, C, M] → dx of `inputShape`. */
function inputGradient(call: KernelCall, inputs: Inputs, attributes: Attributes): TensorInfo {
  const { dy, filter } = inputs as Record<'dy' | 'filter', TensorInfo>;
  const { inputShape } = attributes as { inputShape: number[] };
  if (!isOurs([dy, filter], attributes) || inputShape.includes(0))
    return runStock('DepthwiseConv2dNativeBackpropInput', call, inputs, attributes) as TensorInfo;
  const { shape, threads, multiplier } = depthwiseOf(call, inputShape, filter.shape, attributes);
  const size = util.sizeFromShape(inputShape);
  const dx = call.output(inputShape);
  const { team } = call.backend;
  const target = multiplier === 1 ? call.input(dx) : call.scratch(size * multiplier);
  team.run('depthwise_input_gradient', threads, [call.input(dy), call.input(filter), target, shape]);
  if (multiplier > 1) {
    const work = call.scratch(call.kernels.sum_inner_work(size, multiplier, threads));
    team.run('sum_inner', threads, [target, call.input(dx), size, multiplier, work]);
  }
  return dx;
}

/** x [N, H, W, C], dy [N, H', W', C·M] → dFilter of `filterShape`. */
function filterGradient(call: KernelCall, inputs: Inputs, attributes: Attributes): TensorInfo {
  const { x, dy } = inputs as Record<'x' | 'dy', TensorInfo>;
  const { filterShape } = attributes as { filterShape: number[] };
  if (!isOurs([x, dy], attributes) || filterShape.includes(0))
    return runStock('DepthwiseConv2dNativeBackpropFilter', call, inputs, attributes) as TensorInfo;
  const { shape, threads, multiplier } = depthwiseOf(call, x.shape, filterShape, attributes);
  const source = repeated(call, x, multiplier);
  const dFilter = call.output(filterShape);
  const work = call.scratch(call.kernels.depthwise_filter_gradient_work(shape));
  const operands = [source, call.input(dy), call.input(dFilter)] as const;
  call.backend.team.run('depthwise_filter_gradient', threads, [...operands, shape, work]);
  return dFilter;
}

export function defineDepthwise(): void {
  defineKernel('DepthwiseConv2dNative', (call, inputs, attributes) => {
    const { x, filter } = inputs as Record<'x' | 'filter', TensorInfo>;
    const output = isOurs([x, filter], attributes) ? depthwise(call, x, filter, attributes) : undefined;
    return output ?? runStock('DepthwiseConv2dNative', call, inputs, attributes);
  });
  defineKernel('FusedDepthwiseConv2D', fusedDepthwise);
  defineKernel('DepthwiseConv2dNativeBackpropInput', inputGradient);
  defineKernel('DepthwiseConv2dNativeBackpropFilter', filterGradient);
}
