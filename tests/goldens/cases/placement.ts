import { type Module, parameters } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';

/** Tensors by the path of the parameter whose place they take. */
export type Placement = Record<string, tf.Tensor>;

/** [outputs, inputs] ↔ [inputs, outputs]. */
export function across(weight: tf.Tensor): tf.Tensor {
  return tf.transpose(weight);
}

/**
 * Puts tensors in the place of all of a module's Variables, which are disposed: so its outputs have gradients by the reference's own
 * parameters, whatever was done to make ours of them.
 */
export function place(module: Module, tensors: Placement): void {
  const own = parameters(module);
  const missing = [...own.keys()].filter(path => !(path in tensors));
  const unknown = Object.keys(tensors).filter(path => !own.has(path));
  if (missing.length + unknown.length > 0)
    throw new Error(`missing: ${missing.join(', ')}; unknown: ${unknown.join(', ')}`);
  for (const [path, tensor] of Object.entries(tensors)) {
    const fields = path.split('.');
    const holder = fields
      .slice(0, -1)
      .reduce<Record<string, unknown>>((node, field) => node[field] as Record<string, unknown>, module as never);
    const before = holder[fields.at(-1)!] as tf.Variable;
    if (!tf.util.arraysEqual(before.shape, tensor.shape))
      throw new Error(`${path}: [${before.shape}], not [${tensor.shape}]`);
    before.dispose();
    holder[fields.at(-1)!] = tensor;
  }
}
