/**
 * `OstinatoEmbedding` and its gradient.
 */

import type { TensorInfo } from '@tensorflow/tfjs-core';
import { checkIndices } from '../check.ts';
import { type Attributes, defineKernel, type Inputs, type KernelCall } from '../kernel-call.ts';

/** table [V, D], ids [N] → [N, D]. */
function embedding(call: KernelCall, inputs: Inputs): TensorInfo {
  const { table, ids } = inputs as Record<'table' | 'ids', TensorInfo>;
  const [size, width] = table.shape as [number, number];
  const rows = ids.shape[0]!;
  checkIndices(call, { where: 'OstinatoEmbedding', name: 'ids', indices: ids, rows, size });
  const output = call.output([rows, width]);
  const addresses = [call.input(table), call.input(ids), call.input(output)] as const;
  call.share('embedding_gather', 2 * rows * width, [...addresses, rows, width]);
  return output;
}

/** ids [N], dOutput [N, D] → dTable [V, D]. */
function embeddingGradient(call: KernelCall, inputs: Inputs, attributes: Attributes): TensorInfo {
  const { ids, dOutput } = inputs as Record<'ids' | 'dOutput', TensorInfo>;
  const { vocabularySize, paddingIndex } = attributes as { vocabularySize: number; paddingIndex: number | null };
  const [rows, width] = dOutput.shape as [number, number];
  checkIndices(call, { where: 'OstinatoEmbeddingGrad', name: 'ids', indices: ids, rows, size: vocabularySize });
  const dTable = call.output([vocabularySize, width]);
  const [idsAddress, from, to] = [call.input(ids), call.input(dOutput), call.input(dTable)];
  const floats = (vocabularySize + 3 * rows) * width;
  const sizes = [rows, width, vocabularySize, paddingIndex ?? -1] as const;
  call.share('embedding_scatter', floats, [idsAddress, from, to, ...sizes]);
  return dTable;
}

export function defineEmbedding(): void {
  defineKernel('OstinatoEmbedding', embedding);
  defineKernel('OstinatoEmbeddingGrad', embeddingGradient);
}
