import * as tf from '@tensorflow/tfjs-core';
import { checkNumber } from './check.ts';
import { ArgumentError } from './errors.ts';
import type { Rng } from './rng.ts';

/**
 * Draws the first value of a parameter: a float32 tensor of `shape`. Weights are `[inputs, outputs]`, so fan-in is the
 * product of all axes but the last, fan-out the last axis.
 */
export type Initializer = (shape: readonly number[], rng: Rng) => tf.Tensor;

const fans = (shape: readonly number[]): { fanIn: number; fanOut: number } => {
  const fanOut = shape.at(-1) ?? 1;
  return { fanIn: shape.length < 2 ? fanOut : shape.slice(0, -1).reduce((a, b) => a * b, 1), fanOut };
};

/** All zeros. */
export const zeros: Initializer = shape => tf.zeros([...shape]);

/** All ones. */
export const ones: Initializer = shape => tf.ones([...shape]);

/** All `value`. */
export function constant(value: number): Initializer {
  checkNumber('constant', 'value', value);
  return shape => tf.fill([...shape], value);
}

/** Uniform in [low, high). */
export function uniform(low: number, high: number): Initializer {
  checkNumber('uniform', 'low', low);
  checkNumber('uniform', 'high', high, { min: low });
  return (shape, rng) => rng.uniform(shape, low, high);
}

/** Normal with the given standard deviation and mean 0. */
export function normal(deviation = 1, mean = 0): Initializer {
  checkNumber('normal', 'deviation', deviation, { min: 0 });
  return (shape, rng) => rng.normal(shape, mean, deviation);
}

/** Normal, drawn again until within two standard deviations. `deviation` is that of the untruncated distribution. */
export function truncatedNormal(deviation = 1, mean = 0): Initializer {
  checkNumber('truncatedNormal', 'deviation', deviation, { min: 0 });
  return (shape, rng) => {
    const values = new Float32Array(tf.util.sizeFromShape([...shape]));
    for (let i = 0; i < values.length; i++) {
      let z = rng.gaussian();
      while (Math.abs(z) > 2) z = rng.gaussian();
      values[i] = mean + deviation * z;
    }
    return tf.tensor(values, [...shape], 'float32');
  };
}

/** Uniform with bound √(6 / (fanIn + fanOut)): Glorot and Bengio 2010, AISTATS, section 4.2.1. */
export const glorotUniform: Initializer = (shape, rng) => {
  const { fanIn, fanOut } = fans(shape);
  const bound = Math.sqrt(6 / (fanIn + fanOut));
  return rng.uniform(shape, -bound, bound);
};

/** Normal with variance 2 / (fanIn + fanOut): Glorot and Bengio 2010, AISTATS. */
export const glorotNormal: Initializer = (shape, rng) => {
  const { fanIn, fanOut } = fans(shape);
  return rng.normal(shape, 0, Math.sqrt(2 / (fanIn + fanOut)));
};

/** Uniform with bound √(6 / fanIn), for ReLU: He et al. 2015, arXiv:1502.01852, section 2.2. */
export const heUniform: Initializer = (shape, rng) => {
  const bound = Math.sqrt(6 / fans(shape).fanIn);
  return rng.uniform(shape, -bound, bound);
};

/** Normal with variance 2 / fanIn, for ReLU: He et al. 2015, arXiv:1502.01852, section 2.2. */
export const heNormal: Initializer = (shape, rng) => rng.normal(shape, 0, Math.sqrt(2 / fans(shape).fanIn));

/** Uniform with bound √(3 / fanIn): LeCun et al. 1998, "Efficient BackProp", section 4.6. */
export const lecunUniform: Initializer = (shape, rng) => {
  const bound = Math.sqrt(3 / fans(shape).fanIn);
  return rng.uniform(shape, -bound, bound);
};

/** Normal with variance 1 / fanIn: LeCun et al. 1998, "Efficient BackProp", section 4.6. */
export const lecunNormal: Initializer = (shape, rng) => rng.normal(shape, 0, Math.sqrt(1 / fans(shape).fanIn));

/** Uniform with bound 1 / √fanIn: what PyTorch's Linear starts from (weight and, given `fanIn`, bias). */
export function fanInUniform(fanIn?: number): Initializer {
  return (shape, rng) => {
    const bound = 1 / Math.sqrt(fanIn ?? fans(shape).fanIn);
    return rng.uniform(shape, -bound, bound);
  };
}

/** `scale` times the identity matrix, rectangular if need be: Le et al. 2015, arXiv:1504.00941. */
export function identity(scale = 1): Initializer {
  checkNumber('identity', 'scale', scale);
  return shape => {
    if (shape.length !== 2) throw rankError('identity', shape);
    return tf.tidy(() => tf.mul(tf.eye(shape[0]!, shape[1]!), scale));
  };
}

/**
 * A matrix with orthonormal rows or columns (whichever are fewer), times `gain`: Saxe et al. 2014, arXiv:1312.6120.
 *
 * The rows (columns) of a Gaussian matrix are made orthonormal one after another (Gram and Schmidt, in float64), which
 * gives the uniform distribution over such matrices. Takes about 2·min²·max multiplications.
 */
export function orthogonal(gain = 1): Initializer {
  checkNumber('orthogonal', 'gain', gain);
  return (shape, rng) => {
    if (shape.length !== 2) throw rankError('orthogonal', shape);
    const [rows, columns] = shape as readonly [number, number];
    const count = Math.min(rows, columns);
    const length = Math.max(rows, columns);
    const vectors: Float64Array[] = [];
    while (vectors.length < count) {
      const vector = Float64Array.from({ length }, () => rng.gaussian());
      for (const earlier of vectors) {
        let product = 0;
        for (let i = 0; i < length; i++) product += earlier[i]! * vector[i]!;
        for (let i = 0; i < length; i++) vector[i]! -= product * earlier[i]!;
      }
      const norm = Math.sqrt(vector.reduce((sum, x) => sum + x * x, 0));
      if (norm < 1e-6) continue;
      vectors.push(vector.map(x => x / norm));
    }
    const values = new Float32Array(rows * columns);
    vectors.forEach((vector, k) => {
      for (let i = 0; i < length; i++) values[rows <= columns ? k * columns + i : i * columns + k] = gain * vector[i]!;
    });
    return tf.tensor2d(values, [rows, columns]);
  };
}

/**
 * Draws each gate's block of a stacked weight `[inputs, gates · outputs]` on its own: `perGate(4, orthogonal())` gives every
 * gate of an LSTM an orthogonal recurrent matrix. For a bias `[gates · outputs]` likewise.
 */
export function perGate(gates: number, initializer: Initializer | readonly Initializer[]): Initializer {
  checkNumber('perGate', 'gates', gates, { integer: true, min: 1 });
  if (typeof initializer !== 'function' && initializer.length !== gates) {
    const rule = `there must be one initializer, or ${gates}`;
    throw new ArgumentError({ where: 'perGate', rule, got: String(initializer.length) });
  }
  return (shape, rng) => {
    const width = shape.at(-1) ?? 0;
    if (width % gates !== 0) {
      throw new ArgumentError({
        where: 'perGate',
        rule: `the last axis must be divisible by the ${gates} gates`,
        got: `[${shape.join(', ')}]`,
      });
    }
    const block = [...shape.slice(0, -1), width / gates];
    return tf.tidy(() => {
      const blocks = Array.from({ length: gates }, (_, gate) => {
        const draw = typeof initializer === 'function' ? initializer : initializer[gate]!;
        return draw(block, rng);
      });
      return tf.concat(blocks, shape.length - 1);
    });
  };
}

/** What `initializer` draws, a square matrix, scaled so that its largest absolute eigenvalue is `radius`. */
export function spectralRadius(radius: number, initializer: Initializer = normal()): Initializer {
  checkNumber('spectralRadius', 'radius', radius, { min: 0 });
  return (shape, rng) => {
    if (shape.length !== 2 || shape[0] !== shape[1]) throw rankError('spectralRadius', shape);
    const drawn = initializer(shape, rng);
    const values = Float64Array.from(drawn.dataSync());
    drawn.dispose();
    const largest = largestEigenvalue(values, shape[0]!);
    if (largest === 0) {
      const rule = 'the drawn matrix must have an eigenvalue other than 0';
      throw new ArgumentError({ where: 'spectralRadius', rule, got: 'a largest eigenvalue of 0' });
    }
    const scale = radius / largest;
    return tf.tensor2d(
      Float32Array.from(values, x => x * scale),
      [shape[0]!, shape[1]!],
    );
  };
}

/** |λ|max of an n×n matrix, from the growth of ‖Aᵏ‖ under repeated squaring: lim ‖Aᵏ‖^(1/k) (Gelfand 1941). */
function largestEigenvalue(matrix: Float64Array, n: number): number {
  let power = matrix;
  let logNorm = 0;
  let exponent = 1;
  for (let squaring = 0; squaring < 12; squaring++) {
    const norm = Math.sqrt(power.reduce((sum, x) => sum + x * x, 0));
    if (norm === 0) return 0;
    const unit = power.map(x => x / norm);
    logNorm += Math.log(norm) / exponent;
    exponent *= 2;
    power = new Float64Array(n * n);
    for (let i = 0; i < n; i++) {
      for (let k = 0; k < n; k++) {
        const a = unit[i * n + k]!;
        for (let j = 0; j < n; j++) power[i * n + j]! += a * unit[k * n + j]!;
      }
    }
  }
  return Math.exp(logNorm);
}

function rankError(where: string, shape: readonly number[]): ArgumentError {
  const rule = where === 'spectralRadius' ? 'the shape must be a square matrix' : 'the shape must be a matrix';
  return new ArgumentError({ where, rule, got: `[${shape.join(', ')}]` });
}
