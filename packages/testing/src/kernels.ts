import * as tf from '@tensorflow/tfjs-core';

/** The kernels that a function launched. */
export interface KernelCount {
  readonly total: number;
  /** How often each kernel ran, by name. */
  readonly byName: Readonly<Record<string, number>>;
}

/** Counts the kernels that `body` launches on the active engine, forward and backward. Tensors it returns are not kept. */
export async function countKernels(body: () => unknown): Promise<KernelCount> {
  const { kernels } = await tf.profile(() => {
    body();
    return tf.scalar(0);
  });
  const byName: Record<string, number> = {};
  for (const { name } of kernels) byName[name] = (byName[name] ?? 0) + 1;
  return { total: kernels.length, byName };
}
