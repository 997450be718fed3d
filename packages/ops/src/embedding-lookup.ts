import { checkNumber, checkShape, type FusedOp, hasKernel, runFused, runKernel } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';
import { checkDtype, checkIndices } from './check.ts';
import { valuesInMainMemory } from './engine.ts';

/** Kernel contract of `embeddingLookup`. */
const embeddingLookupOp: FusedOp = {
  kernelName: 'OstinatoEmbedding',
  inputs: ['table', 'ids'],
  savedOutputs: [false],
  gradient([dOutput], [table, ids], attributes) {
    const extended = { ...attributes, vocabularySize: table!.shape[0]! } as tf.NamedAttrMap;
    const [dTable] = runKernel('OstinatoEmbeddingGrad', { ids: ids!, dOutput: dOutput! }, extended);
    return { table: dTable! };
  },
};

/** Arguments of `embeddingLookup`. */
export interface EmbeddingLookupArguments {
  /** E, float32 [V, D]: one row per token. */
  readonly table: tf.Tensor;
  /** int32, any shape, each in 0 … V−1. */
  readonly ids: tf.Tensor;
}

/** Options of `embeddingLookup`. */
export interface EmbeddingLookupOptions {
  /** Row that gets no gradient (its value is still looked up). Default: none. */
  readonly paddingIndex?: number | undefined;
}

/**
 * Rows of a table: y = E[ids]. Gradient: ∂E[v] = Σ of ∂y over the places where the id is v.
 *
 * @returns float32 [...ids, D]
 * @throws ShapeError when table or ids do not fit; ArgumentError when an id is outside 0 … V−1 (read back where values lie in
 * main memory, trusted on a GPU)
 */
export function embeddingLookup(
  { table, ids }: EmbeddingLookupArguments,
  { paddingIndex }: EmbeddingLookupOptions = {},
): tf.Tensor {
  const where = 'embeddingLookup';
  checkShape(where, 'table', table, { vocabularySize: null, width: null }, 'float32');
  checkDtype(where, 'ids', ids, 'int32');
  const [vocabularySize, width] = table.shape as [number, number];
  if (paddingIndex !== undefined) {
    checkNumber(where, 'paddingIndex', paddingIndex, { integer: true, min: 0, max: vocabularySize - 1 });
  }
  checkIndices(where, 'ids', ids, { size: vocabularySize });
  return tf.tidy(() => {
    const flat = ids.rank === 1 ? ids : tf.reshape(ids, [-1]);
    const rows = hasKernel(embeddingLookupOp.kernelName)
      ? runFused(embeddingLookupOp, { table, ids: flat }, { paddingIndex: paddingIndex ?? null })[0]!
      : reference(table, flat, paddingIndex);
    return ids.rank === 1 ? rows : tf.reshape(rows, [...ids.shape, width]);
  });
}

/** The stock gather, with a gradient that every engine can compute: stock wasm has no kernel for tf.gather's. */
function reference(table: tf.Tensor, ids: tf.Tensor, paddingIndex: number | undefined): tf.Tensor {
  const vocabularySize = table.shape[0]!;
  const lookUp = tf.customGrad((...args: unknown[]) => {
    const [input, indices, save] = args as [tf.Tensor, tf.Tensor1D, tf.GradSaveFunc];
    save([indices]);
    return {
      value: tf.gather(input, indices),
      gradFunc: (dRows: tf.Tensor, [savedIds]: tf.Tensor[]) => {
        const sumRows = valuesInMainMemory() ? sumRowsOnHost : sumRowsOnDevice;
        return [
          sumRows(dRows as tf.Tensor2D, savedIds as tf.Tensor1D, { vocabularySize, paddingIndex }),
          tf.zerosLike(savedIds!),
        ];
      },
    };
  });
  return lookUp(table, ids);
}

interface TableGradientOptions {
  readonly vocabularySize: number;
  readonly paddingIndex: number | undefined;
}

/** ∂E [V, D] by a loop over the ids. */
function sumRowsOnHost(
  dRows: tf.Tensor2D,
  ids: tf.Tensor1D,
  { vocabularySize, paddingIndex }: TableGradientOptions,
): tf.Tensor {
  const width = dRows.shape[1];
  const rows = dRows.dataSync();
  const sums = new Float32Array(vocabularySize * width);
  ids.dataSync().forEach((id, n) => {
    if (id === paddingIndex) return;
    for (let d = 0; d < width; d++) sums[id * width + d]! += rows[n * width + d]!;
  });
  return tf.tensor2d(sums, [vocabularySize, width]);
}

/** ∂E [V, D] without reading anything back. */
function sumRowsOnDevice(
  dRows: tf.Tensor2D,
  ids: tf.Tensor1D,
  { vocabularySize, paddingIndex }: TableGradientOptions,
): tf.Tensor {
  if (paddingIndex === undefined) return tf.unsortedSegmentSum(dRows, ids, vocabularySize);
  const counts = tf.reshape(tf.cast(tf.notEqual(ids, tf.scalar(paddingIndex, 'int32')), 'float32'), [-1, 1]); // [N, 1]
  return tf.unsortedSegmentSum(tf.mul(dRows, counts), ids, vocabularySize);
}
