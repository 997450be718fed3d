import * as tf from '@tensorflow/tfjs-core';

/**
 * How an op finds its kernel: see `docs/decisions/2026-11-23-op-contract.md`. An op runs the kernel that the active backend
 * registered under the op's name, or its own reference in plain TensorFlow.js ops.
 */

/** An op that backends may accelerate: its name, and how its gradient follows from saved tensors. */
export interface FusedOp {
  /** Name of the kernel, e.g. `OstinatoLstm`; its gradient kernel is this name and `Grad`. */
  readonly kernelName: string;
  /** Names of all inputs, in the order of the contract. An absent optional input is a tensor of shape [0]. */
  readonly inputs: readonly string[];
  /** Which outputs the gradient needs. */
  readonly savedOutputs: readonly boolean[];
  /** How many of the last outputs are for the gradient alone: nobody else sees them, and they have no gradient. Default 0. */
  readonly reserved?: number;
  /**
   * Gradients of the inputs, by name, from the gradients of the outputs that are not reserved, the saved inputs (all, in order)
   * followed by the saved outputs, and the attributes. Inputs without a gradient (labels, lengths) have no entry; a function is called
   * only where its gradient is wanted.
   */
  gradient(
    dOutputs: tf.Tensor[],
    saved: tf.Tensor[],
    attributes: tf.NamedAttrMap,
  ): Record<string, tf.Tensor | (() => tf.Tensor)>;
}

/** True when the active backend has a kernel of this name. */
export function hasKernel(kernelName: string): boolean {
  return tf.getKernel(kernelName, tf.getBackend()) !== undefined;
}

/** Runs one kernel of the active backend with inputs by name: every output of it, fresh. */
export function runKernel(
  kernelName: string,
  inputs: Readonly<Record<string, tf.Tensor>>,
  attributes: Readonly<Record<string, unknown>> = {},
): tf.Tensor[] {
  const outputs = tf.engine().runKernel(kernelName, inputs as tf.NamedTensorMap, attributes as tf.NamedAttrMap);
  return Array.isArray(outputs) ? outputs : [outputs as unknown as tf.Tensor];
}

/**
 * Runs an op's kernel on the active backend, with its gradient on the tape: every output that is not reserved.
 *
 * The gradient is registered with TensorFlow.js at the first call, not at import: packages of models have no side effects.
 */
export function runFused(
  op: FusedOp,
  inputs: Readonly<Record<string, tf.Tensor | undefined>>,
  attributes: Readonly<Record<string, unknown>>,
): tf.Tensor[] {
  if (tf.getGradient(op.kernelName) === undefined) registerGradient(op);
  const present: Record<string, tf.Tensor> = {};
  const absent = op.inputs.some(name => inputs[name] === undefined) ? tf.tensor1d([], 'float32') : undefined;
  for (const name of op.inputs) present[name] = inputs[name] ?? absent!;
  let outputs: tf.Tensor[];
  try {
    outputs = runKernel(op.kernelName, present, attributes);
  } finally {
    absent?.dispose(); // what the gradient needs of it has been cloned
  }
  // This array is the tape's own list of outputs, and TensorFlow.js makes zeros as gradient of each one that nobody used. For the
  // reserve of a sequence that would be megabytes at every step, and a collection of garbage each time.
  if (op.reserved) outputs.length -= op.reserved;
  return outputs;
}

function registerGradient(op: FusedOp): void {
  tf.registerGradient({
    kernelName: op.kernelName,
    inputsToSave: [...op.inputs],
    outputsToSave: [...op.savedOutputs],
    gradFunc: (dOutputs, saved, attributes) => {
      const list = Array.isArray(dOutputs) ? dOutputs : [dOutputs];
      const gradients = op.gradient(list, saved, attributes);
      return Object.fromEntries(
        Object.entries(gradients).map(([name, gradient]) => [
          name,
          typeof gradient === 'function' ? gradient : () => gradient,
        ]),
      );
    },
  });
}
