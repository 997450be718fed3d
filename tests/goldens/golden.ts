import * as tf from '@tensorflow/tfjs-core';

/** A tensor as the golden files write it: flat and row-major. `"NaN"` and `"±Infinity"` are strings, as JSON lacks them. */
export interface GoldenTensor {
  readonly shape: number[];
  readonly dtype: 'float32' | 'int32' | 'bool';
  readonly data: (number | string)[];
}

/** One golden file: see the README beside the goldens. */
export interface Golden {
  readonly name: string;
  readonly reference: string;
  readonly config: Record<string, never>;
  readonly inputs: Record<string, GoldenTensor>;
  readonly parameters: Record<string, GoldenTensor>;
  readonly outputs: Record<string, GoldenTensor>;
  readonly cotangents: Record<string, GoldenTensor>;
  readonly gradients: {
    readonly inputs?: Record<string, GoldenTensor>;
    readonly parameters?: Record<string, GoldenTensor>;
  };
  readonly notes?: string;
}

/** One tensor to compare: equal when |got − want| ≤ 1e-5 · max(1, largest |want|) everywhere. */
export interface Comparison {
  readonly name: string;
  readonly got: ArrayLike<number>;
  readonly want: ArrayLike<number>;
}

/** What a case yields: tensors to compare, or the name of the feature that is not there yet. */
export type CaseResult = { readonly differences: Comparison[] } | { readonly skipped: string };

/** The numbers of a golden tensor. */
export function numbers(golden: GoldenTensor): number[] {
  return golden.data.map(Number);
}

/** A golden tensor as a tensor. */
export function tensor(golden: GoldenTensor): tf.Tensor {
  return tf.tensor(numbers(golden), golden.shape, golden.dtype);
}

/** Zeros for a gradient that the file leaves out. */
export function wanted(golden: GoldenTensor | undefined, like: tf.Tensor): ArrayLike<number> {
  return golden ? numbers(golden) : new Float32Array(like.size);
}

/**
 * Runs `outputs(inputs, parameters)` and compares it, and the gradient of Σ output·cotangent with respect to every float32
 * input and parameter, with the golden.
 */
export function compareWithGradients(
  golden: Golden,
  outputs: (values: Record<string, tf.Tensor>) => Record<string, tf.Tensor>,
): CaseResult {
  const differences: Comparison[] = [];
  tf.tidy(() => {
    const sources = { ...golden.inputs, ...golden.parameters };
    const values = Object.fromEntries(Object.entries(sources).map(([name, source]) => [name, tensor(source)]));
    for (const [name, got] of Object.entries(outputs(values))) {
      differences.push({ name, got: got.dataSync(), want: numbers(golden.outputs[name]!) });
    }
    const names = Object.keys(values).filter(name => values[name]!.dtype === 'float32');
    const loss = (...tensors: tf.Tensor[]): tf.Scalar => {
      const all = outputs({ ...values, ...Object.fromEntries(names.map((name, i) => [name, tensors[i]!])) });
      const terms = Object.entries(golden.cotangents).map(([name, cotangent]) =>
        tf.sum(tf.mul(all[name]!, tensor(cotangent))),
      );
      return tf.addN(terms) as tf.Scalar;
    };
    const gradients = tf.grads(loss)(names.map(name => values[name]!));
    names.forEach((name, i) => {
      const golds = name in golden.inputs ? golden.gradients.inputs : golden.gradients.parameters;
      differences.push({
        name: `d ${name}`,
        got: gradients[i]!.dataSync(),
        want: wanted(golds?.[name], values[name]!),
      });
    });
  });
  return { differences };
}
