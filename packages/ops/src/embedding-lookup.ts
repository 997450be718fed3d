import { ArgumentError, checkShape, type FusedOp, hasKernel, runFused, runKernel } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';

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
  checkShape(where, 'ids', ids, Object.fromEntries(ids.shape.map((size, i) => [`axis${i}`, size])), 'int32');
  const [vocabularySize, width] = table.shape as [number, number];
  if (!/webgpu|webgl|tensorflow/.test(tf.getBackend())) checkIds(where, ids, vocabularySize);
  return tf.tidy(() => {
    const flat = tf.reshape(ids, [-1]);
    const rows = hasKernel(embeddingLookupOp.kernelName)
      ? runFused(embeddingLookupOp, { table, ids: flat }, { paddingIndex: paddingIndex ?? null })[0]!
      : reference(table, flat, paddingIndex);
    return tf.reshape(rows, [...ids.shape, width]);
  });
}

/** The gradient of the stock gather needs a kernel that the stock wasm backend lacks; a product with a mask needs none. */
function reference(table: tf.Tensor, ids: tf.Tensor, paddingIndex: number | undefined): tf.Tensor {
  const vocabularySize = table.shape[0]!;
  const lookUp = tf.customGrad((...args: unknown[]) => {
    const [input, indices, save] = args as [tf.Tensor, tf.Tensor1D, tf.GradSaveFunc];
    save([indices]);
    return {
      value: tf.gather(input, indices),
      gradFunc: (dRows: tf.Tensor, [savedIndices]: tf.Tensor[]) => {
        const rows = tf.reshape(tf.range(0, vocabularySize, 1, 'int32'), [-1, 1]);
        const chosen = tf.cast(tf.equal(rows, savedIndices!), 'float32') as tf.Tensor2D; // [V, N]
        const dTable = tf.matMul(chosen, dRows as tf.Tensor2D); // [V, D]
        const kept =
          paddingIndex === undefined
            ? dTable
            : tf.mul(dTable, tf.cast(tf.notEqual(rows, tf.scalar(paddingIndex, 'int32')), 'float32'));
        return [kept, tf.zerosLike(savedIndices!)];
      },
    };
  });
  return lookUp(table, ids);
}

function checkIds(where: string, ids: tf.Tensor, vocabularySize: number): void {
  const values = ids.dataSync();
  for (let i = 0; i < values.length; i++) {
    if (values[i]! < 0 || values[i]! >= vocabularySize) {
      throw new ArgumentError({
        where,
        rule: `ids must be in 0 … ${vocabularySize - 1}`,
        got: `${values[i]} at position ${i}`,
      });
    }
  }
}
