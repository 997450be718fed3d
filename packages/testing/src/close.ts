import { ArgumentError } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';

/** Numbers to compare: a tensor, a typed array or nested arrays. */
export type Numbers = tf.Tensor | ArrayLike<number> | readonly (number | Numbers)[];

/** How two sets of numbers differ. */
export interface Difference {
  /** Whether |got − want| ≤ tolerance · max(1, largest |want|) everywhere. */
  readonly close: boolean;
  /** Largest |got − want| / max(1, largest |want|). NaN against a number counts as infinite. */
  readonly error: number;
  /** Where that is, in row-major order. */
  readonly index: number;
  readonly got: number;
  readonly want: number;
}

/** Default tolerances by engine, in one place. */
const tolerances: Readonly<Record<string, number>> = { cpu: 1e-5, 'ostinato-cpu': 1e-5, wasm: 1e-5, webgpu: 1e-4 };

/** The tolerance for results of the active engine. */
export function engineTolerance(): number {
  return tolerances[tf.getBackend()] ?? 1e-4;
}

function flatten(numbers: Numbers): number[] {
  if (numbers instanceof tf.Tensor) return Array.from(numbers.dataSync());
  return Array.from(numbers as ArrayLike<number | Numbers>).flatMap(item =>
    typeof item === 'number' ? [item] : flatten(item),
  );
}

/**
 * Compares two sets of numbers by |got − want| ≤ tolerance · max(1, largest |want|). Equal infinities are close, and NaN is to NaN.
 *
 * @param tolerance default: that of the active engine, 1e-5 on a CPU
 * @throws ArgumentError when they do not have the same number of elements, or are tensors of different shapes
 */
export function allClose(got: Numbers, want: Numbers, tolerance: number = engineTolerance()): Difference {
  const where = 'allClose';
  if (got instanceof tf.Tensor && want instanceof tf.Tensor && !tf.util.arraysEqual(got.shape, want.shape)) {
    const [gotShape, wantShape] = [got, want].map(({ shape }) => `[${shape.join(', ')}]`);
    throw new ArgumentError({ where, rule: 'both must have one shape', expected: wantShape!, got: gotShape! });
  }
  const [gotValues, wantValues] = [flatten(got), flatten(want)];
  if (gotValues.length !== wantValues.length) {
    const [gotCount, wantCount] = [gotValues, wantValues].map(values => String(values.length));
    throw new ArgumentError({ where, rule: 'both must have as many numbers', expected: wantCount!, got: gotCount! });
  }
  const largest = wantValues.reduce(
    (most, value) => (Number.isFinite(value) ? Math.max(most, Math.abs(value)) : most),
    1,
  );
  let worst = { error: 0, index: 0 };
  for (let i = 0; i < wantValues.length; i++) {
    const same = Object.is(gotValues[i], wantValues[i]) || gotValues[i] === wantValues[i];
    const error = same ? 0 : Math.abs(gotValues[i]! - wantValues[i]!) / largest;
    if (!(error <= worst.error)) worst = { error: Number.isNaN(error) ? Infinity : error, index: i };
  }
  return { ...worst, close: worst.error <= tolerance, got: gotValues[worst.index]!, want: wantValues[worst.index]! };
}

/** What a matcher of vitest or jest returns. */
export interface MatcherResult {
  readonly pass: boolean;
  message(): string;
}

/** Matchers for `expect.extend(matchers)` in vitest or jest: `expect(tensor).toBeAllClose([1, 2])`. */
export const matchers = {
  toBeAllClose(got: Numbers, want: Numbers, tolerance: number = engineTolerance()): MatcherResult {
    const difference = allClose(got, want, tolerance);
    return {
      pass: difference.close,
      message: () =>
        `expected all numbers to be within ${tolerance}, relative to the largest; at ${difference.index}: got ${difference.got}, want ${difference.want} (error ${difference.error.toExponential(2)})`,
    };
  },
} as const;
