/**
 * `OstinatoAttention` and its gradient: softmax(scale·Q·Kᵀ + bias)·V by blocks; `OstinatoCachedAttention`, the same for the next
 * steps behind a cache. Shapes and equations are those of docs/decisions/2026-11-23-op-contract.md.
 */

import type { TensorInfo } from '@tensorflow/tfjs-core';
import { checkIndices } from '../check.ts';
import { type Attributes, defineKernel, type Inputs, type KernelCall } from '../kernel-call.ts';
import type { Address } from '../kernels.ts';
import { biasStrides, integers } from './attention-layout.ts';
import { cachedAttention } from './cached-attention.ts';

type AttentionInput = 'query' | 'key' | 'value' | 'bias' | 'keyLengths';

type Layout = 'BHTD' | 'BTHD' | 'packed';

interface AttentionAttributes {
  scale: number;
  causal: boolean;
  causalOffset: number;
  dropoutRate: number;
  dropoutKey: readonly [number, number];
  /** Default `'BHTD'`. */
  layout?: Layout;
  /** What `query` packs; only where it packs all three. */
  numHeads?: number;
  numKeyHeads?: number;
}

/** The sizes of a call, in the order of the kernels' arguments. */
interface Sizes {
  readonly batch: number;
  readonly queryHeads: number;
  readonly keyHeads: number;
  readonly queryTime: number;
  readonly keyTime: number;
  readonly width: number;
  readonly valueWidth: number;
}

function sizesOf(inputs: Record<AttentionInput, TensorInfo>, attributes: AttentionAttributes): Sizes {
  const { layout = 'BHTD', numHeads = 0, numKeyHeads = 0 } = attributes;
  const [batch, second, third, last] = inputs.query.shape as [number, number, number, number];
  if (layout === 'packed') {
    const width = third / (numHeads + 2 * numKeyHeads);
    const shared = { batch, queryTime: second, keyTime: second, width, valueWidth: width };
    return { ...shared, queryHeads: numHeads, keyHeads: numKeyHeads };
  }
  const [, keySecond, keyThird, valueWidth] = inputs.value.shape as [number, number, number, number];
  const [queryHeads, queryTime] = layout === 'BHTD' ? [second, third] : [third, second];
  const [keyHeads, keyTime] = layout === 'BHTD' ? [keySecond, keyThird] : [keyThird, keySecond];
  return { batch, queryHeads, keyHeads, queryTime, keyTime, width: last, valueWidth };
}

/** Distances, in floats, of the rows of one operand: from one batch row, head and time step to the next. */
function place(
  layout: Layout,
  { heads, time, width, all = heads * width }: { heads: number; time: number; width: number; all?: number },
): [number, number, number] {
  if (layout === 'BHTD') return [heads * time * width, time * width, width];
  // A single step is its heads one below the other, which the kernel reads as one matrix.
  return [time * all, width, time === 1 ? width : all];
}

/** The sizes of one call, its operands, and the address of its lengths, which are checked here. */
function attentionOf(call: KernelCall, where: string, inputs: Inputs, attributes: Attributes) {
  const operands = inputs as Record<AttentionInput, TensorInfo>;
  const { query, bias, keyLengths } = operands;
  const options = attributes as unknown as AttentionAttributes;
  const { layout = 'BHTD', scale, causal, causalOffset, dropoutRate, dropoutKey } = options;
  const sizes = sizesOf(operands, options);
  const { batch, queryHeads, keyHeads, queryTime, keyTime, width, valueWidth } = sizes;
  const lengths = call.optional(keyLengths);
  if (lengths !== 0) {
    checkIndices(call, { where, name: 'keyLengths', indices: keyLengths, rows: batch, size: keyTime + 1 });
  }
  const all = layout === 'packed' ? (queryHeads + 2 * keyHeads) * width : undefined;
  const keys = { heads: keyHeads, time: keyTime };
  const places = [
    ...place(layout, { heads: queryHeads, time: queryTime, width, ...(all && { all }) }),
    ...place(layout, { ...keys, width, ...(all && { all }) }),
    ...place(layout, { ...keys, width: valueWidth, ...(all && { all }) }),
    ...place(layout, { heads: queryHeads, time: queryTime, width: valueWidth }),
  ];
  const rest = [
    ...([batch, queryHeads, keyHeads, queryTime, keyTime, width, valueWidth] as const),
    ...([...biasStrides(bias.shape), scale, Number(causal), causalOffset] as const),
    ...([dropoutRate, ...dropoutKey] as const),
  ] as const;
  const operations = 2 * batch * queryHeads * queryTime * keyTime * (width + valueWidth);
  const outputShape = {
    BHTD: [batch, queryHeads, queryTime, valueWidth],
    BTHD: [batch, queryTime, queryHeads, valueWidth],
    packed: [batch, queryTime, queryHeads * valueWidth],
  }[layout];
  /** Addresses of what is to queries, keys and values as the tensors are: themselves or their gradients. */
  const three = (q: TensorInfo, k: TensorInfo, v: TensorInfo): [Address, Address, Address] => {
    if (layout !== 'packed') return [call.input(q), call.input(k), call.input(v)];
    const first = call.input(q);
    const [keyAt, valueAt] = [queryHeads * width, (queryHeads + keyHeads) * width];
    return [first, first + 4 * keyAt, first + 4 * valueAt];
  };
  const addresses = (): readonly [Address, Address, Address, Address, Address] => [
    ...three(query, operands.key, operands.value),
    call.optional(bias),
    lengths,
  ];
  return { ...sizes, layout, addresses, three, places: integers(call, places), rest, operations, outputShape };
}

/** query, key, value, bias?, keyLengths? → output, reserve [B, Hq, Tq, 2]: a query's largest score and 1 / Σ exp(score − largest). */
function attention(call: KernelCall, inputs: Inputs, attributes: Attributes): TensorInfo[] {
  const a = attentionOf(call, 'OstinatoAttention', inputs, attributes);
  const output = call.output(a.outputShape);
  const reserve = call.output([a.batch, a.queryHeads, a.queryTime, 2]);
  const threads = call.backend.team.threadsFor(a.operations);
  const work = call.scratch(call.kernels.attention_forward_work(a.keyTime, a.width, a.valueWidth, threads));
  const outputs = [call.input(output), call.input(reserve)] as const;
  call.backend.team.run('attention_forward', threads, [...a.addresses(), ...outputs, a.places, ...a.rest, work]);
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
  const threads = call.backend.team.threadsFor(2.5 * a.operations);
  const work = call.scratch(
    call.kernels.attention_backward_work(
      ...([a.places, a.queryHeads, a.keyHeads, a.queryTime, a.width, a.valueWidth, threads] as const),
    ),
  );
  call.backend.team.run('attention_backward', threads, [
    ...a.addresses(),
    ...([call.input(output), call.input(reserve), call.input(dOutput)] as const),
    ...([...a.three(dQuery, dKey, dValue), call.optional(dBias), a.places] as const),
    ...a.rest,
    work,
  ]);
  return [dQuery, dKey, dValue, dBias];
}

export function defineAttention(): void {
  defineKernel('OstinatoAttention', attention);
  defineKernel('OstinatoAttentionGrad', attentionGradient);
  defineKernel('OstinatoCachedAttention', cachedAttention);
}
