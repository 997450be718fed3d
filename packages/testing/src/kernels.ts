import * as tf from '@tensorflow/tfjs-core';
import { disposeAll } from './dispose.ts';

/** The kernels that a function launched. */
export interface KernelCount {
  readonly total: number;
  /** Their names, in the order in which they ran. */
  readonly names: readonly string[];
}

/**
 * Counts the kernels that `body` launches on the active engine, forward and backward; for small tensors their number is what a
 * step costs. `Reshape` and `Identity` count too, although they move no data. What `body` returns is disposed.
 *
 * @param body may return a promise
 * @throws what `body` throws
 */
export async function countKernels(body: () => unknown): Promise<KernelCount> {
  let failure: { readonly error: unknown } | undefined;
  const { kernels } = await tf.profile(async () => {
    // After a throw, tf.profile would leave the engine profiling for ever.
    try {
      disposeAll(await body());
    } catch (error) {
      failure = { error };
    }
  });
  if (failure) throw failure.error;
  // TensorFlow.js lists the calls of tf.customGrad beside the kernels that they run.
  const names = kernels.map(({ name }) => name).filter(name => tf.getKernel(name, tf.getBackend()) !== undefined);
  return { total: names.length, names };
}
