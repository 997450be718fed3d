import { ArgumentError, checkNumber, Rng } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';

/** Options of `gradCheck`. */
export interface GradCheckOptions {
  /** Half the distance of the two points of a difference, relative to max(1, |x|). Default 1e-2: float32 has 7 digits. */
  readonly step?: number | undefined;
  /** Largest allowed |analytic − numeric| / max(1, largest |numeric|). Default 2e-3. */
  readonly tolerance?: number | undefined;
  /** Elements checked one by one in each input, drawn at random when there are more. Default 24. */
  readonly elements?: number | undefined;
  /** Random directions checked in each input that has more elements than are checked one by one. Default 4. */
  readonly directions?: number | undefined;
  /** w, what the outputs are weighted with. Default: normal random numbers. */
  readonly cotangents?: readonly tf.Tensor[] | undefined;
  /** Seed of everything random. Default 0. */
  readonly seed?: number | undefined;
}

/** Result of `gradCheck`. */
export interface GradCheckResult {
  /** Largest error of all inputs, relative as for the tolerance. */
  readonly error: number;
  /** How many derivatives were compared. */
  readonly checked: number;
}

/** A direction in which one input is moved. */
interface Direction {
  readonly name: string;
  readonly vector: Float64Array;
  readonly length: number;
}

/** One derivative, from the gradient and from differences. */
interface Comparison {
  readonly place: string;
  readonly analytic: number;
  readonly numeric: number;
}

// The types of tf.tidy leave out results without tensors.
const tidy = tf.tidy as <Result>(run: () => Result) => Result;

/**
 * Compares gradients with central differences: for L = Σ w·f(x) and a direction d,
 * ∂L/∂x · d ≈ (L(x + s d) − L(x − s d)) / 2s. Directions are the axes, and random ones for an input with many elements. The sums
 * are made in float64. Frees every tensor that it makes.
 *
 * @param body from the inputs to one tensor or several; called once for the gradient and twice for each direction
 * @param inputs float32 tensors; the gradient of each is checked. The caller keeps them.
 * @throws ArgumentError naming the input, the element and both values when they differ by more than the tolerance
 */
export function gradCheck(
  body: (...inputs: tf.Tensor[]) => tf.Tensor | readonly tf.Tensor[],
  inputs: readonly tf.Tensor[],
  { step = 1e-2, tolerance = 2e-3, elements = 24, directions = 4, cotangents, seed = 0 }: GradCheckOptions = {},
): GradCheckResult {
  const where = 'gradCheck';
  checkNumber(where, 'step', step, { above: 0 });
  checkNumber(where, 'tolerance', tolerance, { min: 0 });
  checkNumber(where, 'elements', elements, { integer: true, min: 0 });
  checkNumber(where, 'directions', directions, { integer: true, min: 0 });
  const rng = new Rng(seed);
  return tidy(() => {
    const outputsOf = (values: readonly tf.Tensor[]): readonly tf.Tensor[] => {
      const result = body(...values);
      return result instanceof tf.Tensor ? [result] : result;
    };
    const weights = cotangents ?? outputsOf(inputs).map((output, i) => rng.split(`output ${i}`).normal(output.shape));
    const weightValues = weights.map(weight => weight.dataSync());
    const gradients = tf.grads((...values: tf.Tensor[]) =>
      tf.addN(outputsOf(values).map((output, i) => tf.sum(tf.mul(output, weights[i]!)))),
    )([...inputs]);
    const loss = (values: readonly tf.Tensor[]): number =>
      tidy(() =>
        outputsOf(values)
          .map((output, i) => dot(output.dataSync(), weightValues[i]!))
          .reduce((a, b) => a + b, 0),
      );

    const compare = (k: number, { name, vector, length }: Direction): Comparison => {
      const values = inputs[k]!.dataSync();
      const at = (sign: number): { x: Float32Array; loss: number } => {
        const x = Float32Array.from(values, (value, i) => value + sign * step * vector[i]!);
        return tidy(() => {
          const moved = tf.tensor(x, inputs[k]!.shape);
          return { x, loss: loss(inputs.map((other, j) => (j === k ? moved : other))) };
        });
      };
      const [above, below] = [at(1), at(-1)];
      // float32 rounds x ± s d, so the distance that was really gone is measured along the gradient.
      const gone = above.x.map((x, i) => x - below.x[i]!);
      return {
        place: `input ${k}, ${name}`,
        analytic: dot(gradients[k]!.dataSync(), gone) / (2 * step * length),
        numeric: (above.loss - below.loss) / (2 * step * length),
      };
    };
    const results = inputs.map((input, k) =>
      directionsOf(input, rng.split(`input ${k}`), { elements, directions }).map(direction => compare(k, direction)),
    );

    let worst = { error: 0, place: '' };
    for (const comparisons of results) {
      const largest = comparisons.reduce((most, { numeric }) => Math.max(most, Math.abs(numeric)), 1);
      for (const { place, analytic, numeric } of comparisons) {
        const difference = Math.abs(analytic - numeric) / largest;
        const error = Number.isNaN(difference) ? Infinity : difference;
        if (error > worst.error) worst = { error, place: `${place}: analytic ${analytic}, numeric ${numeric}` };
      }
    }
    if (worst.error > tolerance) {
      const rule = `the gradient must agree with differences to ${tolerance}`;
      throw new ArgumentError({ where, rule, got: `${worst.error.toExponential(2)} at ${worst.place}` });
    }
    return { error: worst.error, checked: results.flat().length };
  });
}

/** Axes, each as long as its element is large, and unit vectors at random when there are more elements than axes. */
function directionsOf(
  input: tf.Tensor,
  rng: Rng,
  { elements, directions }: { elements: number; directions: number },
): Direction[] {
  const values = input.dataSync();
  const all = input.size <= elements;
  const axes = all ? [...values.keys()] : [...rng.permutation(input.size).subarray(0, elements)];
  const alongAxes = axes.map(element => {
    const vector = new Float64Array(input.size);
    const length = Math.max(1, Math.abs(values[element]!));
    vector[element] = length;
    return { name: `element ${element}`, vector, length };
  });
  const atRandom = Array.from({ length: all ? 0 : directions }, (_, n) => {
    const draw = rng.split('directions').split(n);
    const vector = Float64Array.from({ length: input.size }, () => draw.gaussian());
    const length = Math.sqrt(dot(vector, vector));
    return { name: `direction ${n}`, vector: vector.map(x => x / length), length: 1 };
  });
  return [...alongAxes, ...atRandom];
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}
