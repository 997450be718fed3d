// Runs an op as reference on the stock `cpu` engine and as kernels on `ostinato-cpu`, forward and backward.
import '@ostinato/backend-cpu';
import { hasKernel, Rng } from '@ostinato/core';
import { allClose } from '@ostinato/testing';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { expect } from 'vitest';

/** Random cases: few, seeded, so that a run is short and can be repeated. */
export const runs = { numRuns: 15, seed: 20261123 } as const;

/** Sizes that do not fill vector registers, with 1 among them. */
export const size = (max: number): fc.Arbitrary<number> => fc.integer({ min: 1, max });

export const seed: fc.Arbitrary<number> = fc.nat(1_000_000);

/** What one engine computes: values and shapes of outputs and gradients. */
interface Values {
  readonly shape: readonly number[];
  readonly values: ArrayLike<number>;
}

/** An op and its differentiable inputs. */
export interface Comparison {
  /** Kernels that must be there, lest the reference be compared with itself. */
  readonly kernels: readonly string[];
  /** Shapes of the differentiable inputs, by name; their values are drawn from a normal distribution. */
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  readonly seed: number;
  /** Deviation of the inputs. Default 0.7. */
  readonly deviation?: number;
  /** Whether gradients are compared. Default true. */
  readonly gradients?: boolean;
  outputs(inputs: Readonly<Record<string, tf.Tensor>>): readonly tf.Tensor[];
}

/** Expects both engines to agree to 10⁻⁵ · max(1, largest magnitude) in every output and every gradient. */
export async function expectParity(comparison: Comparison): Promise<void> {
  const want = await valuesOn('cpu', comparison);
  const got = await valuesOn('ostinato-cpu', comparison);
  expect(Object.keys(got)).toEqual(Object.keys(want));
  for (const [name, { shape, values }] of Object.entries(got)) {
    expect(shape, name).toEqual(want[name]!.shape);
    expect({ name, ...allClose(values, want[name]!.values, 1e-5) }).toMatchObject({ close: true });
  }
}

async function valuesOn(engine: string, comparison: Comparison): Promise<Record<string, Values>> {
  const { kernels, shapes, seed: drawn, deviation = 0.7, gradients = true, outputs } = comparison;
  await tf.setBackend(engine);
  expect(kernels.map(hasKernel)).toEqual(kernels.map(() => engine === 'ostinato-cpu'));
  const before = tf.memory().numTensors;
  const names = Object.keys(shapes);
  const found: Record<string, Values> = {};
  const note = (name: string, tensor: tf.Tensor): void => {
    found[name] = { shape: [...tensor.shape], values: tensor.dataSync().slice() };
  };
  const byName = (tensors: readonly tf.Tensor[]): Record<string, tf.Tensor> =>
    Object.fromEntries(names.map((name, i) => [name, tensors[i]!]));
  tf.tidy(() => {
    const rng = new Rng(drawn);
    const inputs = names.map(name => rng.split(name).normal(shapes[name]!, 0, deviation));
    outputs(byName(inputs)).forEach((tensor, i) => {
      note(`output ${i}`, tensor);
    });
    if (!gradients) return;
    const weighted = (...tensors: tf.Tensor[]): tf.Tensor =>
      tf.addN(
        outputs(byName(tensors)).map((tensor, i) =>
          tf.sum(tf.mul(tensor, rng.split(`weight ${i}`).normal(tensor.shape))),
        ),
      );
    tf.grads(weighted)(inputs).forEach((tensor, i) => {
      note(`gradient of ${names[i]}`, tensor);
    });
  });
  expect(tf.memory().numTensors).toBe(before);
  return found;
}

/** Lengths of every row, 0 and T among them, or none. */
export function lengthsOf(rng: Rng, { batch, time, ragged }: { batch: number; time: number; ragged: boolean }) {
  if (!ragged) return undefined;
  const lengths = Array.from({ length: batch }, (_, row) => (row === 1 ? 0 : rng.integer(time + 1)));
  return tf.tensor1d(lengths, 'int32');
}
