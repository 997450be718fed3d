/**
 * Pooling over images [N, H, W, C]: `MaxPool`, `AvgPool` and their gradients. One-dimensional pooling comes as these.
 */

import { backend_util, type TensorInfo, util } from '@tensorflow/tfjs-core';
import { isFloat32 } from '../backend.ts';
import { type Attributes, defineKernel, type Inputs, type KernelCall, runStock } from '../kernel-call.ts';
import type { Address } from '../kernels.ts';

interface PoolingAttributes {
  readonly filterSize: number | [number, number];
  readonly strides: number | [number, number];
  readonly pad: Parameters<typeof backend_util.computePool2DInfo>[4];
  readonly dimRoundingMode?: 'floor' | 'round' | 'ceil';
}

/** Sizes of a pooling, also in the memory of the kernels, in the order of `struct Pooling` in kernels/pooling.c. */
interface Pooling extends backend_util.Conv2DInfo {
  readonly shape: Address;
  readonly threads: number;
}

function poolingOf(call: KernelCall, input: TensorInfo, attributes: Attributes): Pooling {
  const { filterSize, strides, pad, dimRoundingMode } = attributes as unknown as PoolingAttributes;
  const inputShape = input.shape as [number, number, number, number];
  const info = backend_util.computePool2DInfo(inputShape, filterSize, strides, 1, pad, dimRoundingMode);
  const shape = call.scratch(12);
  new Int32Array(call.backend.kernelMemory.buffer, shape, 12).set([
    ...[info.batchSize, info.inHeight, info.inWidth, info.inChannels, info.outHeight, info.outWidth],
    ...[info.filterHeight, info.filterWidth, info.strideHeight, info.strideWidth, info.padInfo.top, info.padInfo.left],
  ]);
  const operations = util.sizeFromShape(info.outShape) * info.filterHeight * info.filterWidth;
  return { ...info, shape, threads: call.backend.team.threadsFor(operations) };
}

function definePool(name: 'MaxPool' | 'AvgPool', kernel: 'max_pool' | 'average_pool'): void {
  defineKernel(name, (call, inputs, attributes) => {
    const { x } = inputs as { x: TensorInfo };
    const info = isFloat32(x) ? poolingOf(call, x, attributes) : undefined;
    // A window of one pixel gives the input itself.
    if (!info || (info.filterHeight === 1 && info.filterWidth === 1)) return runStock(name, call, inputs, attributes);
    const output = call.output(info.outShape);
    call.backend.team.run(kernel, info.threads, [call.input(x), call.input(output), info.shape]);
    return output;
  });
}

/** dy, input → dx. */
function maxPoolGradient(call: KernelCall, inputs: Inputs, attributes: Attributes): TensorInfo {
  const { dy, input } = inputs as Record<'dy' | 'input', TensorInfo>;
  if (!isFloat32(input) || !isFloat32(dy)) return runStock('MaxPoolGrad', call, inputs, attributes) as TensorInfo;
  const { shape, threads } = poolingOf(call, input, attributes);
  const dx = call.output(input.shape);
  call.backend.team.run('max_pool_gradient', threads, [call.input(input), call.input(dy), call.input(dx), shape]);
  return dx;
}

/** dy → dx of the input's shape. */
function averagePoolGradient(call: KernelCall, inputs: Inputs, attributes: Attributes): TensorInfo {
  const { dy, input } = inputs as Record<'dy' | 'input', TensorInfo>;
  if (!isFloat32(input) || !isFloat32(dy)) return runStock('AvgPoolGrad', call, inputs, attributes) as TensorInfo;
  const { shape, threads } = poolingOf(call, input, { ...attributes, dimRoundingMode: undefined });
  const dx = call.output(input.shape);
  call.backend.team.run('average_pool_gradient', threads, [call.input(dy), call.input(dx), shape]);
  return dx;
}

export function definePooling(): void {
  definePool('MaxPool', 'max_pool');
  definePool('AvgPool', 'average_pool');
  defineKernel('MaxPoolGrad', maxPoolGradient);
  defineKernel('AvgPoolGrad', averagePoolGradient);
}
