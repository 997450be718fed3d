/**
 * `OstinatoLayerNorm`, `OstinatoRmsNorm` and their gradients, over rows [N, D]; `FusedBatchNorm` over the last axis.
 */

import { type TensorInfo, util } from '@tensorflow/tfjs-core';
import { isFloat32 } from '../backend.ts';
import { type Attributes, defineKernel, type Inputs, type KernelCall, runStock } from '../kernel-call.ts';

type NormInput = 'input' | 'gain' | 'bias' | 'mean' | 'inverseDeviation' | 'inverseRms' | 'dOutput';
type NormInputs = Record<NormInput, TensorInfo>;

/** input, gain?, bias? → output, mean [N], inverseDeviation [N]. */
function layerNorm(call: KernelCall, inputs: Inputs, { epsilon }: Attributes): TensorInfo[] {
  const { input, gain, bias } = inputs as NormInputs;
  const [rows, width] = input.shape as [number, number];
  const [output, mean, inverse] = [call.output(input.shape), call.output([rows]), call.output([rows])];
  call.share('layer_norm_forward', 4 * rows * width, [
    ...([call.input(input), call.optional(gain), call.optional(bias), call.input(output)] as const),
    ...([call.input(mean), call.input(inverse), rows, width, epsilon as number] as const),
  ]);
  return [output, mean, inverse];
}

/** … and dOutput → dInput, dGain?, dBias?. */
function layerNormGradient(call: KernelCall, inputs: Inputs): TensorInfo[] {
  const { input, gain, bias, mean, inverseDeviation, dOutput } = inputs as NormInputs;
  const [rows, width] = input.shape as [number, number];
  const [dInput, dGain, dBias] = [call.output(input.shape), call.output(gain.shape), call.output(bias.shape)];
  call.share('layer_norm_backward', 6 * rows * width, [
    ...([call.input(input), call.optional(gain), call.input(mean), call.input(inverseDeviation)] as const),
    ...([call.input(dOutput), call.input(dInput), call.optional(dGain), call.optional(dBias), rows, width] as const),
  ]);
  return [dInput, dGain, dBias];
}

/** input, gain? → output, inverseRms [N]. */
function rmsNorm(call: KernelCall, inputs: Inputs, { epsilon }: Attributes): TensorInfo[] {
  const { input, gain } = inputs as NormInputs;
  const [rows, width] = input.shape as [number, number];
  const [output, inverse] = [call.output(input.shape), call.output([rows])];
  const addresses = [call.input(input), call.optional(gain), call.input(output), call.input(inverse)] as const;
  call.share('rms_norm_forward', 4 * rows * width, [...addresses, rows, width, epsilon as number]);
  return [output, inverse];
}

/** … and dOutput → dInput, dGain?. */
function rmsNormGradient(call: KernelCall, inputs: Inputs): TensorInfo[] {
  const { input, gain, inverseRms, dOutput } = inputs as NormInputs;
  const [rows, width] = input.shape as [number, number];
  const [dInput, dGain] = [call.output(input.shape), call.output(gain.shape)];
  call.share('rms_norm_backward', 6 * rows * width, [
    ...([call.input(input), call.optional(gain), call.input(inverseRms), call.input(dOutput)] as const),
    ...([call.input(dInput), call.optional(dGain), rows, width] as const),
  ]);
  return [dInput, dGain];
}

/** x [..., C], mean, variance, offset?, scale? [C] → (x − mean)·scale / √(variance + ε) + offset. Other shapes go to the stock kernel. */
function batchNorm(call: KernelCall, inputs: Inputs, attributes: Attributes): TensorInfo {
  const { x, mean, variance, offset, scale } = inputs as Record<'x' | 'mean' | 'variance', TensorInfo> &
    Partial<Record<'offset' | 'scale', TensorInfo>>;
  const channels = x.shape.at(-1) ?? 0;
  const operands = [mean, variance, offset, scale].filter(operand => operand !== undefined);
  const whole = operands.every(({ shape }) => util.sizeFromShape(shape) === channels);
  if (!whole || channels === 0 || ![x, ...operands].every(isFloat32)) {
    return runStock('FusedBatchNorm', call, inputs, attributes) as TensorInfo;
  }
  const { varianceEpsilon } = attributes as { varianceEpsilon: number };
  const out = call.output(x.shape);
  const [factor, shift] = [call.scratch(channels), call.scratch(channels)];
  const [from, centre, to] = [call.input(x), call.input(mean), call.input(out)];
  const [factors, shifts] = [factor, shift].map(
    address => new Float32Array(call.backend.kernelMemory.buffer, address, channels),
  ) as [Float32Array, Float32Array];
  const [variances, scales, offsets] = [variance, scale, offset].map(operand => operand && call.values(operand));
  for (let c = 0; c < channels; c++) {
    factors[c] = (scales ? scales[c]! : 1) / Math.sqrt(variances![c]! + varianceEpsilon);
    shifts[c] = offsets ? offsets[c]! : 0;
  }
  const rows = util.sizeFromShape(x.shape) / channels;
  call.share('batch_norm', 2 * rows * channels, [from, centre, factor, shift, to, rows, channels]);
  return out;
}

export function defineNormalizations(): void {
  defineKernel('FusedBatchNorm', batchNorm);
  defineKernel('OstinatoLayerNorm', layerNorm);
  defineKernel('OstinatoLayerNormGrad', layerNormGradient);
  defineKernel('OstinatoRmsNorm', rmsNorm);
  defineKernel('OstinatoRmsNormGrad', rmsNormGradient);
}
