/** `OstinatoTransformerLayerStep`: one step of a transformer layer behind a cache, in one kernel. */

import type { TensorInfo } from '@tensorflow/tfjs-core';
import { checkIndices } from '../check.ts';
import { type Attributes, defineKernel, type Inputs, type KernelCall } from '../kernel-call.ts';
import { nextCache } from './cached-attention.ts';
import { activations } from './elementwise.ts';

interface LayerStepAttributes {
  scale: number;
  numHeads: number;
  numKeyHeads: number;
  preNorm: boolean;
  rms: boolean;
  activation: string;
  attentionEpsilon: number;
  feedForwardEpsilon: number;
}

const parameters = [
  ...['attentionGain', 'attentionBias', 'queryKeyValueWeight', 'queryKeyValueBias', 'attentionOutputWeight'],
  ...['attentionOutputBias', 'feedForwardGain', 'feedForwardBias', 'gateWeight', 'gateBias', 'hiddenWeight'],
  ...['hiddenBias', 'outputWeight', 'outputBias'],
] as const;
type Fourteen<T> = [T, T, T, T, T, T, T, T, T, T, T, T, T, T];

/** input [B, D], keyCache, valueCache [B, Hk, Tmax, K], lengths int32 [B], parameters → output, keyCache, valueCache. */
function layerStep(call: KernelCall, inputs: Inputs, attributes: Attributes): TensorInfo[] {
  const { input, keyCache, valueCache, lengths } = inputs as Record<string, TensorInfo>;
  const options = attributes as unknown as LayerStepAttributes;
  const [batch, size] = input!.shape as [number, number];
  const [, keyHeads, keyTime, width] = keyCache!.shape as [number, number, number, number];
  const hidden = inputs['hiddenWeight']!.shape[1]!;
  const where = 'OstinatoTransformerLayerStep';
  checkIndices(call, { where, name: 'lengths', indices: lengths!, rows: batch, size: keyTime });
  const starts = Int32Array.from(call.values(lengths!)); // a copy: the view may be detached when memory grows
  const keys = nextCache(call, keyCache!, starts, 1);
  const values = nextCache(call, valueCache!, starts, 1);
  const output = call.output(input!.shape);

  const heads = options.numHeads * width;
  const packed = heads + 2 * keyHeads * width;
  const gated = inputs['gateWeight'] ? 1 : 0;
  const products = size * packed + heads * size + (2 + gated) * size * hidden;
  const { kernels, backend } = call;
  const threads = backend.team.threadsFor(2 * batch * products);
  const work = call.scratch(
    kernels.layer_step_work(batch, size, packed, heads, hidden, gated, options.numHeads, keyTime, threads),
  );
  const addresses = parameters.map(name => call.optional(inputs[name])) as Fourteen<number>;
  backend.team.run('layer_step', threads, [
    ...([call.input(input!), call.input(keys), call.input(values), call.input(lengths!)] as const),
    ...addresses,
    ...([call.input(output), batch, size, options.numHeads, keyHeads, width, keyTime, hidden] as const),
    ...([Number(options.preNorm), Number(options.rms), options.attentionEpsilon, options.feedForwardEpsilon] as const),
    ...([options.scale, activations[options.activation]!, work] as const),
  ]);
  return [output, keys, values];
}

export function defineLayerStep(): void {
  defineKernel('OstinatoTransformerLayerStep', layerStep);
}
