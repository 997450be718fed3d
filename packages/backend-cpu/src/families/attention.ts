/**
 * `OstinatoAttention` and its gradient: softmax(scale·Q·Kᵀ + bias)·V by blocks. Shapes and equations are those of
 * docs/decisions/2026-11-23-op-contract.md.
 */

import type { TensorInfo } from '@tensorflow/tfjs-core';
import { checkIndices } from '../check.ts';
import { type Attributes, defineKernel, type Inputs, type KernelCall } from '../kernel-call.ts';

type AttentionInput = 'query' | 'key' | 'value' | 'bias' | 'keyLengths';

interface AttentionAttributes {
  scale: number;
  causal: boolean;
  causalOffset: number;
  dropoutRate: number;
  dropoutKey: readonly [number, number];
}

/** The sizes of one call, in the order of the kernels' arguments, and the address of its lengths, which are checked here. */
function attentionOf(call: KernelCall, where: string, inputs: Inputs, attributes: Attributes) {
  const { query, key, value, bias, keyLengths } = inputs as Record<AttentionInput, TensorInfo>;
  const { scale, causal, causalOffset, dropoutRate, dropoutKey } = attributes as unknown as AttentionAttributes;
  const [batch, queryHeads, queryTime, width] = query.shape as [number, number, number, number];
  const [, keyHeads, keyTime, valueWidth] = value.shape as [number, number, number, number];
  const lengths = call.optional(keyLengths);
  if (lengths !== 0) {
    checkIndices(call, { where, name: 'keyLengths', indices: keyLengths, rows: batch, size: keyTime + 1 });
  }
  const operands = [call.input(query), call.input(key), call.input(value), call.optional(bias), lengths] as const;
  const sizes = [batch, queryHeads, keyHeads, queryTime, keyTime, width, valueWidth] as const;
  const rest = [
    ...([...biasStrides(bias.shape), scale, Number(causal), causalOffset] as const),
    ...([dropoutRate, ...dropoutKey] as const),
  ] as const;
  return { batch, queryHeads, keyHeads, queryTime, keyTime, width, valueWidth, operands, sizes, rest };
}

/** Distance of the steps along each axis of a bias [B, Hq, Tq, Tk], 0 where it is broadcast or absent. */
function biasStrides(shape: readonly number[]): readonly [number, number, number, number] {
  const [, heads = 1, queryTime = 1, keyTime = 1] = shape;
  const natural = [heads * queryTime * keyTime, queryTime * keyTime, keyTime, 1];
  const [batch, head, query, key] = natural.map((stride, axis) => ((shape[axis] ?? 1) > 1 ? stride : 0));
  return [batch!, head!, query!, key!];
}

/** query, key, value, bias?, keyLengths? → output, reserve [B, Hq, Tq, 2]: a query's largest score and 1 / Σ exp(score − largest). */
function attention(call: KernelCall, inputs: Inputs, attributes: Attributes): TensorInfo[] {
  const a = attentionOf(call, 'OstinatoAttention', inputs, attributes);
  const output = call.output([a.batch, a.queryHeads, a.queryTime, a.valueWidth]);
  const reserve = call.output([a.batch, a.queryHeads, a.queryTime, 2]);
  const items = call.kernels.attention_forward_items(a.batch, a.queryHeads, a.keyHeads, a.queryTime);
  const work = call.scratch(call.kernels.attention_forward_work(a.keyTime, a.width, a.valueWidth));
  const outputs = [call.input(output), call.input(reserve)] as const;
  call.kernels.attention_forward(...a.operands, ...outputs, ...a.sizes, ...a.rest, 0, items, work);
  return [output, reserve];
}

/** … and output, reserve, dOutput → dQuery, dKey, dValue, dBias?. */
function attentionGradient(call: KernelCall, inputs: Inputs, attributes: Attributes): TensorInfo[] {
  const { query, key, value, bias, output, reserve, dOutput } = inputs as Record<
    AttentionInput | 'output' | 'reserve' | 'dOutput',
    TensorInfo
  >;
  const a = attentionOf(call, 'OstinatoAttentionGrad', inputs, attributes);
  const [dQuery, dKey, dValue] = [call.output(query.shape), call.output(key.shape), call.output(value.shape)];
  const dBias = call.zeros(bias.shape);
  const items = call.kernels.attention_backward_items(a.batch, a.keyHeads);
  const work = call.scratch(
    call.kernels.attention_backward_work(a.queryHeads, a.keyHeads, a.queryTime, a.width, a.valueWidth),
  );
  call.kernels.attention_backward(
    ...a.operands,
    ...([call.input(output), call.input(reserve), call.input(dOutput)] as const),
    ...([call.input(dQuery), call.input(dKey), call.input(dValue), call.optional(dBias)] as const),
    ...a.sizes,
    ...a.rest,
    ...([0, items, work] as const),
  );
  return [dQuery, dKey, dValue, dBias];
}

export function defineAttention(): void {
  defineKernel('OstinatoAttention', attention);
  defineKernel('OstinatoAttentionGrad', attentionGradient);
}
