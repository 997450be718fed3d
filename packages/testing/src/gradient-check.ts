import { ArgumentError, Rng } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';

/** Options of `gradCheck`. */
export interface GradCheckOptions {
  /** Half the distance of the two points of a difference, relative to max(1, |x|). Default 1e-2: float32 has 7 digits. */
  readonly step?: number;
  /** Largest allowed |analytic − numeric| / max(1, largest |numeric|). Default 2e-3. */
  readonly tolerance?: number;
  /** Elements checked one by one in each input, drawn at random when there are more. Default 24. */
  readonly elements?: number;
  /** Seed of the weights of the outputs and of the choice of elements. Default 0. */
  readonly seed?: number;
}

/** Result of `gradCheck`. */
export interface GradCheckResult {
  /** Largest error of all inputs, relative as for the tolerance. */
  readonly error: number;
  /** How many derivatives were compared. */
  readonly checked: number;
}

/**
 * Compares gradients with central differences: for L = Σ w·f(x) with random weights w,
 * ∂L/∂xᵢ ≈ (L(x + s eᵢ) − L(x − s eᵢ)) / 2s. The sums are made in float64.
 *
 * @param body from the inputs to one tensor or several
 * @param inputs float32 tensors; the gradient of each is checked. The caller keeps them.
 * @throws ArgumentError naming the input, the element and both values when they differ by more than the tolerance
 */
export function gradCheck(
  body: (...inputs: tf.Tensor[]) => tf.Tensor | readonly tf.Tensor[],
  inputs: readonly tf.Tensor[],
  { step = 1e-2, tolerance = 2e-3, elements = 24, seed = 0 }: GradCheckOptions = {},
): GradCheckResult {
  const rng = new Rng(seed);
  return (tf.tidy as <R>(run: () => R) => R)(() => {
    const outputsOf = (values: readonly tf.Tensor[]): readonly tf.Tensor[] => {
      const result = body(...values);
      return result instanceof tf.Tensor ? [result] : result;
    };
    const weights = outputsOf(inputs).map((output, i) => rng.split(`output ${i}`).normal(output.shape));
    const weighted = (values: readonly tf.Tensor[]): tf.Scalar =>
      tf.addN(outputsOf(values).map((output, i) => tf.sum(tf.mul(output, weights[i]!)))) as tf.Scalar;
    const analytic = tf.grads((...values: tf.Tensor[]) => weighted(values))([...inputs]);
    const weightValues = weights.map(weight => weight.dataSync());
    const loss = (values: readonly tf.Tensor[]): number =>
      tf
        .tidy(() => outputsOf(values).map(output => output.dataSync().slice()) as unknown as tf.TensorContainer[])
        .reduce<number>(
          (sum, output, i) =>
            sum + (output as unknown as Float32Array).reduce((part, y, j) => part + y * weightValues[i]![j]!, 0),
          0,
        );
    let worst = { error: 0, place: '' };
    let checked = 0;
    inputs.forEach((input, k) => {
      const values = input.dataSync();
      const slopes = analytic[k]!.dataSync();
      const chosen =
        input.size <= elements
          ? [...values.keys()]
          : [...rng.split(`input ${k}`).permutation(input.size).subarray(0, elements)];
      const numeric = chosen.map(i => {
        const half = step * Math.max(1, Math.abs(values[i]!));
        const at = (offset: number): { loss: number; x: number } => {
          const moved = Float32Array.from(values);
          moved[i] = values[i]! + offset;
          const replaced = tf.tensor(moved, input.shape);
          return { loss: loss(inputs.map((other, j) => (j === k ? replaced : other))), x: moved[i]! };
        };
        const [above, below] = [at(half), at(-half)];
        return (above.loss - below.loss) / (above.x - below.x);
      });
      const largest = numeric.reduce((most, slope) => Math.max(most, Math.abs(slope)), 1);
      chosen.forEach((i, j) => {
        checked++;
        const error = Math.abs(slopes[i]! - numeric[j]!) / largest;
        if (!(error <= worst.error)) {
          worst = {
            error: Number.isNaN(error) ? Infinity : error,
            place: `input ${k}, element ${i}: analytic ${slopes[i]}, numeric ${numeric[j]}`,
          };
        }
      });
    });
    if (!(worst.error <= tolerance)) {
      const rule = `the gradient must agree with differences to ${tolerance}`;
      throw new ArgumentError({ where: 'gradCheck', rule, got: `${worst.error.toExponential(2)} at ${worst.place}` });
    }
    return { error: worst.error, checked };
  });
}
