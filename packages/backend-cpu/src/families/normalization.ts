/**
 * `OstinatoLayerNorm`, `OstinatoRmsNorm` and their gradients, over rows [N, D].
 */

import type { TensorInfo } from '@tensorflow/tfjs-core';
import { type Attributes, defineKernel, type Inputs, type KernelCall } from '../kernel-call.ts';

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

export function defineNormalizations(): void {
  defineKernel('OstinatoLayerNorm', layerNorm);
  defineKernel('OstinatoLayerNormGrad', layerNormGradient);
  defineKernel('OstinatoRmsNorm', rmsNorm);
  defineKernel('OstinatoRmsNormGrad', rmsNormGradient);
}
