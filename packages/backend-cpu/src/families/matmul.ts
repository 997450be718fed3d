/**
 * Matrix products: `BatchMatMul`, `_FusedMatMul` and `OstinatoLinear`. Every transposition is a pair of strides; a batch is a loop.
 */

import { broadcast_util, getKernel, type TensorInfo, util } from '@tensorflow/tfjs-core';
import { isFloat32 } from '../backend.ts';
import {
  type Attributes,
  backendName,
  defineKernel,
  type Inputs,
  isAbsent,
  type KernelCall,
  runStock,
} from '../kernel-call.ts';
import { activations, broadcastPlan } from './elementwise.ts';

interface Product {
  a: TensorInfo;
  b: TensorInfo;
  transposeA: boolean;
  transposeB: boolean;
}

/** C = op(A)·op(B) (+ bias row): [..., m, k] × [..., k, n] → [..., m, n], batch dimensions broadcast. */
function product(call: KernelCall, { a, b, transposeA, transposeB }: Product): TensorInfo {
  const [aRows, aColumns] = a.shape.slice(-2) as [number, number];
  const [bRows, bColumns] = b.shape.slice(-2) as [number, number];
  const [m, k] = transposeA ? [aColumns, aRows] : [aRows, aColumns];
  const [inner, n] = transposeB ? [bColumns, bRows] : [bRows, bColumns];
  util.assert(
    k === inner,
    () =>
      `Error in matMul: inner shapes (${k}) and (${inner}) of Tensors with shapes ${a.shape} and ${b.shape} and ` +
      `transposeA=${transposeA} and transposeB=${transposeB} must match.`,
  );
  const aBatch = a.shape.slice(0, -2);
  const bBatch = b.shape.slice(0, -2);
  const batch = broadcast_util.assertAndGetBroadcastShape(aBatch, bBatch);
  const out = call.output([...batch, m, n]);
  const offsetsA = batchOffsets(aBatch, batch, m * k);
  const offsetsB = batchOffsets(bBatch, batch, k * n);
  const count = offsetsA.length;
  const threads = call.backend.team.threadsFor(2 * count * m * k * n);
  const offsets = call.scratch(3 * count);
  const work = call.scratch(call.kernels.gemm_work(threads));
  const [addressA, addressB, addressC] = [call.input(a), call.input(b), call.input(out)];
  const [aRow, aColumn] = transposeA ? [1, m] : [k, 1];
  const [bRow, bColumn] = transposeB ? [1, k] : [n, 1];
  const values = new Int32Array(call.backend.kernelMemory.buffer, offsets, 3 * count);
  for (let i = 0; i < count; i++) values.set([offsetsA[i]!, offsetsB[i]!, m * n * i], 3 * i);
  const factors = [addressA, aRow, aColumn, addressB, bRow, bColumn, addressC] as const;
  call.backend.team.run('gemm', threads, [...factors, m, k, n, count, offsets, work]);
  return out;
}

/** Offset, in floats, of each matrix of the broadcast batch in an operand whose own batch dimensions are `own`. */
function batchOffsets(own: readonly number[], batch: readonly number[], matrixSize: number): number[] {
  let offsets = [0];
  const missing = batch.length - own.length;
  for (const [axis, size] of batch.entries()) {
    const ownSize = axis < missing ? 1 : own[axis - missing]!;
    const stride = ownSize === 1 ? 0 : matrixSize * util.sizeFromShape(own.slice(axis - missing + 1));
    offsets = offsets.flatMap(offset => Array.from({ length: size }, (_, index) => offset + index * stride));
  }
  return offsets;
}

interface FusedAttributes {
  transposeA: boolean;
  transposeB: boolean;
  activation?: string;
  leakyreluAlpha?: number;
}

/** Activations that take an operand of their own run as kernels after the product. */
const laterActivations: Record<string, string | undefined> = { prelu: 'Prelu', leakyrelu: 'LeakyRelu', elu: 'Elu' };

/** activation(op(A)·op(B) + bias); the bias broadcasts to the product's shape. */
function fusedProduct(call: KernelCall, inputs: Inputs, attributes: Attributes): TensorInfo {
  const { a, b, bias, preluActivationWeights } = inputs as Record<'a' | 'b', TensorInfo> &
    Partial<Record<'bias' | 'preluActivationWeights', TensorInfo>>;
  const { activation, leakyreluAlpha, ...transposes } = attributes as unknown as FusedAttributes;
  if (!isFloat32(a) || !isFloat32(b) || (bias && !isFloat32(bias))) {
    return runStock('_FusedMatMul', call, inputs, attributes) as TensorInfo;
  }
  const out = product(call, { a, b, ...transposes });
  const finish = { bias, preluActivationWeights, activation, leakyreluAlpha };
  return finishProduct(call, out, finish) ?? (runStock('_FusedMatMul', call, inputs, attributes) as TensorInfo);
}

/** input [..., D] · weight [D, N] (+ bias [N]) → [..., N]. */
function linear(call: KernelCall, inputs: Inputs): TensorInfo {
  const { input, weight, bias } = inputs as Record<'input' | 'weight' | 'bias', TensorInfo>;
  const [inputSize, outputSize] = weight.shape as [number, number];
  const rows = { ...input, shape: [util.sizeFromShape(input.shape.slice(0, -1)), inputSize] };
  const out = product(call, { a: rows, b: weight, transposeA: false, transposeB: false });
  finishProduct(call, out, { bias: isAbsent(bias) ? undefined : bias });
  return { ...out, shape: [...input.shape.slice(0, -1), outputSize] };
}

/** What follows a product or convolution in the same kernel. */
export interface Finish {
  readonly bias?: TensorInfo | undefined;
  readonly preluActivationWeights?: TensorInfo | undefined;
  readonly activation?: string | undefined;
  readonly leakyreluAlpha?: number | undefined;
}

/** activation(out + bias), in place where it can be. Undefined, and `out` disposed, when the bias lies in a way that is not ours. */
export function finishProduct(
  call: KernelCall,
  out: TensorInfo,
  { bias, preluActivationWeights, activation, leakyreluAlpha }: Finish,
): TensorInfo | undefined {
  const size = util.sizeFromShape(out.shape);
  const target = call.input(out);
  if (bias && size > 0) {
    const plan = broadcastPlan(out.shape, bias.shape, out.shape);
    if (!plan) {
      call.backend.disposeData(out.dataId);
      return undefined;
    }
    const { aRow, aColumn, bRow, bColumn, rows, columns } = plan;
    call.share('binary', 3 * size, [0, target, aRow, aColumn, call.input(bias), bRow, bColumn, target, rows, columns]);
  }
  const code = activations[activation ?? 'linear'];
  if (code !== undefined) call.share('unary', 4 * size, [code, target, target, size]);
  const later = laterActivations[activation ?? 'linear'];
  if (later === undefined) return out;
  const operands = preluActivationWeights ? { x: out, alpha: preluActivationWeights } : { x: out };
  return finishElsewhere(call, out, later, operands, { alpha: leakyreluAlpha });
}

/** Another kernel of this backend on an intermediate result, which is disposed. */
function finishElsewhere(
  call: KernelCall,
  intermediate: TensorInfo,
  name: string,
  inputs: Inputs,
  attributes = {},
): TensorInfo {
  const { kernelFunc } = getKernel(name, backendName);
  const result = kernelFunc({ inputs, backend: call.backend, attrs: attributes }) as TensorInfo;
  call.backend.disposeData(intermediate.dataId);
  return result;
}

export function defineMatrixProducts(): void {
  defineKernel('BatchMatMul', (call, inputs, attributes) => {
    const { a, b } = inputs as { a: TensorInfo; b: TensorInfo };
    if (!isFloat32(a) || !isFloat32(b)) return runStock('BatchMatMul', call, inputs, attributes);
    return product(call, { a, b, ...(attributes as unknown as { transposeA: boolean; transposeB: boolean }) });
  });
  defineKernel('_FusedMatMul', fusedProduct);
  defineKernel('OstinatoLinear', linear);
}
