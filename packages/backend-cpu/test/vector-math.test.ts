// Errors of exp, log, expm1, log1p, tanh, sigmoid, erf, softplus, ELU, GELU and SiLU in units of the last place, over every 20,011th of all floats (denormals,
// infinities and NaN among them) and densely where they are used, on every build that runs here.
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { kernelInfo, OstinatoCpuBackend } from '../src/index.ts';
import { numbers, on, runKernel } from './support.ts';

const step = 20_011;
const inputs = new Float32Array([
  ...new Float32Array(Uint32Array.from({ length: Math.floor(2 ** 32 / step) }, (_, i) => i * step).buffer),
  ...numbers(1, 60_000, 90),
  ...numbers(2, 60_000, 10),
  ...numbers(3, 60_000, 1),
  ...numbers(4, 20_000, 1e-3),
  ...Float32Array.from(numbers(5, 20_000, 1e-2), x => 1 + x),
  ...[0, -0, 1, -1, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN, 2 ** -149, -(2 ** -149)],
]);

/** erf in double precision: its Taylor series below 3, 1 − erfc above. */
function erf(x: number): number {
  if (Math.abs(x) >= 3) return Math.sign(x) * (1 - erfc(Math.abs(x)));
  let [term, sum] = [x, x];
  for (let n = 1; n < 120; n++) {
    term *= -(x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

/** erfc in double precision: its continued fraction from 2 on, evaluated from its end. */
function erfc(z: number): number {
  if (z < 2) return 1 - erf(z);
  if (z > 30) return 0;
  let fraction = 0;
  for (let k = 120; k >= 1; k--) fraction = k / 2 / (z + fraction);
  return Math.exp(-z * z) / Math.sqrt(Math.PI) / (z + fraction);
}

/** Φ, in its tail without cancellation. */
const normal = (x: number): number => (x < 0 ? erfc(-x / Math.SQRT2) / 2 : 1 - erfc(x / Math.SQRT2) / 2);
const sigmoid = (x: number): number => (x < 0 ? Math.exp(x) / (1 + Math.exp(x)) : 1 / (1 + Math.exp(-x)));
/** x·s(x) for an s that is 0 at −∞ faster than x grows. */
const gated = (gate: (x: number) => number) => (x: number) => (x === -Infinity ? Number.NaN : x * gate(x));

const gelu = (approximate: string) => (x: tf.Tensor) => runKernel('OstinatoGelu', { input: x }, { approximate })[0]!;

/** 2u of the tanh form, tanh u = 2σ(2u) − 1. Its rounding counts 2u times in σ(2u). */
const geluArgument = (x: number): number => 2 * Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3);

/**
 * Function, its value in double precision, the greatest error in units of the last place of the result. Where σ and Φ are
 * denormal they have fewer digits, and so has x times them.
 */
const functions: [string, (x: tf.Tensor) => tf.Tensor, (x: number) => number, (x: number) => number][] = [
  ['exp', tf.exp, Math.exp, () => 1.1],
  ['log', tf.log, Math.log, () => 1.1],
  ['expm1', tf.expm1, Math.expm1, () => 5],
  ['log1p', tf.log1p, Math.log1p, () => 3],
  ['softplus', tf.softplus, x => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))), () => 3],
  ['ELU', tf.elu, x => (x >= 0 ? x : Math.expm1(x)), () => 5],
  ['tanh', tf.tanh, Math.tanh, () => 2],
  ['sigmoid', tf.sigmoid, sigmoid, () => 3],
  ['erf', tf.erf, erf, () => 2],
  ['GELU', gelu('none'), gated(normal), x => 8 + (x < -12 ? -x : 0)],
  ['GELU, tanh form', gelu('tanh'), gated(x => sigmoid(geluArgument(x))), x => 8 + 3 * Math.abs(geluArgument(x))],
  ['SiLU', x => runKernel('OstinatoSilu', { input: x })[0]!, gated(sigmoid), x => 5 + (x < -87 ? -x : 0)],
];

/** Distance of neighbouring floats around a result. */
function lastPlace(value: number): number {
  const magnitude = Math.abs(Math.fround(value));
  return 2 ** (Math.max(Math.floor(Math.log2(magnitude)), -126) - 23);
}

const create = {
  native: () => new OstinatoCpuBackend(),
  'relaxed-simd': () => new OstinatoCpuBackend({ native: 'off' }),
  simd: () => withoutRelaxed(() => new OstinatoCpuBackend({ native: 'off' })),
};

/** What an engine without relaxed SIMD would choose: modules are validated in this order. */
function withoutRelaxed<Result>(body: () => Result): Result {
  const validate = WebAssembly.validate;
  let calls = 0;
  WebAssembly.validate = bytes => calls++ > 0 && validate(bytes);
  try {
    return body();
  } finally {
    WebAssembly.validate = validate;
  }
}

const builds = new Map(
  Object.values(create).map(make => {
    const backend = make();
    return [backend.info.level, backend] as const;
  }),
);

describe.each([...builds.keys()])('on %s', level => {
  const name = `math-${level}`;
  tf.registerBackend(name, () => builds.get(level)!);
  tf.copyRegisteredKernels('ostinato-cpu', name);

  it.each(functions)('%s', (_, run, exact, bound) => {
    const { values } = on(name, () => [run(tf.tensor1d(inputs))])[0]!;
    let [worst, at] = [0, 0];
    for (const [i, x] of inputs.entries()) {
      const [got, want] = [values[i]!, exact(x)];
      if (Number.isNaN(got) && Number.isNaN(want)) continue;
      if (got === Math.fround(want)) continue;
      const error = Math.abs(got - want) / lastPlace(want) / bound(x);
      if (error <= worst) continue; // false for NaN, which must not be
      [worst, at] = [error, x];
    }
    expect(worst, `of the bound, at ${at}`).toBeLessThan(1);
  });
});

it('covers what this machine would choose', () => {
  expect([...builds.keys()]).toContain(kernelInfo().level);
});
