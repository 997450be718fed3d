/**
 * Convolution over images [N, H, W, C]: `Conv2D`, `FusedConv2D` and the two gradients. One-dimensional convolutions come as these.
 * What is not float32 or has its channels first goes to the stock kernel.
 */

import { backend_util, type TensorInfo, util } from '@tensorflow/tfjs-core';
import { isFloat32 } from '../backend.ts';
import { type Attributes, defineKernel, type Inputs, type KernelCall, runStock } from '../kernel-call.ts';
import type { Address } from '../kernels.ts';
import { finishProduct } from './matmul.ts';

interface ConvolutionAttributes {
  readonly strides: number | [number, number];
  readonly pad: Parameters<typeof backend_util.computeConv2DInfo>[4];
  readonly dataFormat: 'NHWC' | 'NCHW';
  readonly dilations?: number | [number, number];
  readonly dimRoundingMode?: 'floor' | 'round' | 'ceil';
}

type Shape4D = [number, number, number, number];

/** Sizes of a convolution, also in the memory of the kernels, in the order of `struct Convolution` in kernels/convolution.c. */
interface Convolution extends backend_util.Conv2DInfo {
  readonly shape: Address;
  readonly threads: number;
}

function convolutionOf(
  call: KernelCall,
  inputShape: readonly number[],
  filterShape: readonly number[],
  attributes: Attributes,
): Convolution {
  const { strides, pad, dilations = 1, dimRoundingMode } = attributes as unknown as ConvolutionAttributes;
  const [input, filter] = [inputShape as Shape4D, filterShape as Shape4D];
  const info = backend_util.computeConv2DInfo(input, filter, strides, dilations, pad, dimRoundingMode);
  const shape = call.scratch(15);
  new Int32Array(call.backend.kernelMemory.buffer, shape, 15).set([
    ...[info.batchSize, info.inHeight, info.inWidth, info.inChannels, info.outHeight, info.outWidth, info.outChannels],
    ...[info.filterHeight, info.filterWidth, info.strideHeight, info.strideWidth],
    ...[info.dilationHeight, info.dilationWidth, info.padInfo.top, info.padInfo.left],
  ]);
  const operations = 2 * util.sizeFromShape(info.outShape) * info.inChannels * info.filterHeight * info.filterWidth;
  return { ...info, shape, threads: call.backend.team.threadsFor(operations) };
}

const isOurs = (tensors: readonly TensorInfo[], { dataFormat }: Attributes): boolean =>
  dataFormat === 'NHWC' && tensors.every(isFloat32);

/** x [N, H, W, C], filter [h, w, C, K] → [N, H', W', K]. */
function convolution(call: KernelCall, x: TensorInfo, filter: TensorInfo, attributes: Attributes): TensorInfo {
  const { outShape, shape, threads } = convolutionOf(call, x.shape, filter.shape, attributes);
  const output = call.output(outShape);
  const work = call.scratch(call.kernels.conv2d_work(shape, threads));
  call.backend.team.run('conv2d', threads, [call.input(x), call.input(filter), call.input(output), shape, work]);
  return output;
}

/** activation(convolution + bias). */
function fusedConvolution(call: KernelCall, inputs: Inputs, attributes: Attributes): TensorInfo {
  const { x, filter, bias, preluActivationWeights } = inputs as Record<'x' | 'filter', TensorInfo> &
    Partial<Record<'bias' | 'preluActivationWeights', TensorInfo>>;
  const stock = (): TensorInfo => runStock('FusedConv2D', call, inputs, attributes) as TensorInfo;
  if (!isOurs(bias ? [x, filter, bias] : [x, filter], attributes)) return stock();
  const output = convolution(call, x, filter, attributes);
  return finishProduct(call, output, { bias, preluActivationWeights, ...attributes }) ?? stock();
}

/** dy [N, H', W', K], filter [h, w, C, K] → dx of `inputShape`. */
function inputGradient(call: KernelCall, inputs: Inputs, attributes: Attributes): TensorInfo {
  const { dy, filter } = inputs as Record<'dy' | 'filter', TensorInfo>;
  const { inputShape } = attributes as { inputShape: number[] };
  const stock = (): TensorInfo => runStock('Conv2DBackpropInput', call, inputs, attributes) as TensorInfo;
  if (!isOurs([dy, filter], attributes)) return stock();
  const { inShape, outShape, shape, threads } = convolutionOf(call, inputShape, filter.shape, attributes);
  // A transposed convolution may be asked for fewer pixels than it has; the stock kernel reads the first ones.
  if (!util.arraysEqual(dy.shape, outShape)) return stock();
  const dx = call.output(inShape);
  const work = call.scratch(call.kernels.conv2d_input_gradient_work(shape, threads));
  const operands = [call.input(dy), call.input(filter), call.input(dx)] as const;
  call.backend.team.run('conv2d_input_gradient', threads, [...operands, shape, work]);
  return dx;
}

/** x [N, H, W, C], dy [N, H', W', K] → dFilter of `filterShape`. */
function filterGradient(call: KernelCall, inputs: Inputs, attributes: Attributes): TensorInfo {
  const { x, dy } = inputs as Record<'x' | 'dy', TensorInfo>;
  if (!isOurs([x, dy], attributes)) return runStock('Conv2DBackpropFilter', call, inputs, attributes) as TensorInfo;
  const { filterShape } = attributes as { filterShape: number[] };
  const { shape, threads } = convolutionOf(call, x.shape, filterShape, attributes);
  const dFilter = call.output(filterShape);
  const work = call.scratch(call.kernels.conv2d_filter_gradient_work(shape, threads));
  const operands = [call.input(x), call.input(dy), call.input(dFilter)] as const;
  call.backend.team.run('conv2d_filter_gradient', threads, [...operands, shape, work]);
  return dFilter;
}

export function defineConvolutions(): void {
  defineKernel('Conv2D', (call, inputs, attributes) => {
    const { x, filter } = inputs as Record<'x' | 'filter', TensorInfo>;
    if (!isOurs([x, filter], attributes)) return runStock('Conv2D', call, inputs, attributes);
    return convolution(call, x, filter, attributes);
  });
  defineKernel('FusedConv2D', fusedConvolution);
  defineKernel('Conv2DBackpropInput', inputGradient);
  defineKernel('Conv2DBackpropFilter', filterGradient);
}
