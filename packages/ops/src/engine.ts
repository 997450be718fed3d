import * as tf from '@tensorflow/tfjs-core';

/**
 * Whether the active engine has its values in main memory, where reading them costs nothing. On a GPU reading them back waits for
 * every kernel before, and in a browser may be impossible without awaiting.
 */
export function valuesInMainMemory(): boolean {
  return !/webgpu|webgl|tensorflow/.test(tf.getBackend());
}
