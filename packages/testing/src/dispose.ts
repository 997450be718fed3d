import { isModule } from '@ostinato/core';
import type * as tf from '@tensorflow/tfjs-core';

/**
 * Disposes every tensor in plain objects, arrays, Maps and modules. Other objects are left alone: those of a test library are full
 * of cycles.
 */
export function disposeAll(node: unknown): void {
  if (typeof node !== 'object' || node === null) return;
  const isPlain = [Object.prototype, null].includes(Object.getPrototypeOf(node));
  if (node instanceof Map) for (const child of node.values()) disposeAll(child);
  else if (isPlain || Array.isArray(node)) for (const child of Object.values(node)) disposeAll(child);
  else if (isModule(node)) node.dispose();
  else if ('dataId' in node) (node as tf.Tensor).dispose();
}
