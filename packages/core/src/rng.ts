import * as tf from '@tensorflow/tfjs-core';
import { checkNumber } from './check.ts';
import { ArgumentError, FormatError, ResourceError } from './errors.ts';
import { type Key, threefry } from './threefry.ts';

/** Everything an `Rng` is: plain data, for checkpoints. */
export interface RngState {
  readonly key: Key;
  /** How many 32-bit words were drawn. */
  readonly position: number;
}

/**
 * Seeded, splittable random numbers, the same on every engine and platform.
 *
 * A stream is a key and a position; word i of it is a pure function of both (see `threefry`). `split` derives the key of a
 * new stream from this key and a label, without drawing from this stream: `rng.split('dropout').split(step)` is the same
 * numbers whatever else was drawn. Only additions, multiplications, divisions and square roots of IEEE 754 are used, which
 * are exact to the bit everywhere; `Math.log` and `Math.cos` are not.
 */
export class Rng {
  #key: Key;
  #position: number;
  #pair: [number, number] = [0, 0];

  /**
   * @param seed a non-negative safe integer
   * @throws ArgumentError for any other seed
   */
  constructor(seed: number) {
    checkNumber('Rng', 'seed', seed, { integer: true, min: 0, max: Number.MAX_SAFE_INTEGER });
    this.#key = [seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0];
    this.#position = 0;
  }

  /** The Rng that `state()` described. Throws FormatError when `state` is not such a description. */
  static fromState(state: RngState): Rng {
    const isWord = (word: unknown): boolean =>
      Number.isInteger(word) && (word as number) >= 0 && (word as number) < 2 ** 32;
    const fits =
      Array.isArray(state?.key) &&
      state.key.length === 2 &&
      state.key.every(isWord) &&
      Number.isSafeInteger(state.position) &&
      state.position >= 0;
    if (!fits) {
      throw new FormatError({
        where: 'Rng.fromState',
        rule: 'state must be { key: [uint32, uint32], position }',
        got: JSON.stringify(state),
      });
    }
    const rng = new Rng(0);
    rng.#key = [state.key[0], state.key[1]];
    rng.#position = state.position;
    if (state.position % 2 === 1) rng.#pair = rng.#block((state.position - 1) / 2);
    return rng;
  }

  /** The present state, as plain JSON data. */
  state(): RngState {
    return { key: [this.#key[0], this.#key[1]], position: this.#position };
  }

  /** The key of this stream, for ops that draw their own numbers (dropout). */
  get key(): Key {
    return this.#key;
  }

  #block(index: number): [number, number] {
    // Bit 31 of the second counter word separates drawn words from the keys that `split` makes, and from the masks of dropout.
    return threefry(this.#key, index >>> 0, Math.floor(index / 2 ** 32) & 0x7fffffff);
  }

  /** An independent stream, determined by this stream's key and `label` alone. */
  split(label: string | number): Rng {
    const child = new Rng(0);
    let key = this.#key;
    const words = typeof label === 'number' ? numberWords(label) : textWords(label);
    for (const word of words) key = threefry(key, word, 0x80000000 | (typeof label === 'number' ? 1 : 2));
    child.#key = key;
    return child;
  }

  /** The next 32 random bits, as an unsigned integer. */
  word(): number {
    const odd = this.#position % 2;
    if (odd === 0) this.#pair = this.#block(this.#position / 2);
    this.#position++;
    return this.#pair[odd]!;
  }

  /** A number uniform in [0, 1), a multiple of 2⁻⁵³. */
  next(): number {
    const high = this.word() >>> 5;
    return (high * 2 ** 26 + (this.word() >>> 6)) / 2 ** 53;
  }

  /** An integer uniform in 0 … bound−1, without bias. */
  integer(bound: number): number {
    checkNumber('Rng.integer', 'bound', bound, { integer: true, min: 1, max: 2 ** 32 });
    const limit = 2 ** 32 - (2 ** 32 % bound);
    for (;;) {
      const word = this.word();
      if (word < limit) return word % bound;
    }
  }

  /** A standard normal number: the inverse of the normal distribution function at a uniform number. */
  gaussian(): number {
    return normalQuantile((this.word() + 0.5) / 2 ** 32);
  }

  /** A random permutation of 0 … length−1 (Fisher and Yates). */
  permutation(length: number): Uint32Array {
    const order = Uint32Array.from({ length }, (_, i) => i);
    for (let i = length - 1; i > 0; i--) {
      const j = this.integer(i + 1);
      const kept = order[i]!;
      order[i] = order[j]!;
      order[j] = kept;
    }
    return order;
  }

  /** float32 tensor of `shape`, uniform in [low, high), in steps of (high − low)·2⁻²⁴. What float32 would round up to `high` is the number below. */
  uniform(shape: readonly number[], low = 0, high = 1): tf.Tensor {
    const largest = low < high ? Math.max(low, float32Below(high)) : Infinity;
    return this.#tensor(shape, () => Math.min(low + (high - low) * ((this.word() >>> 8) / 2 ** 24), largest));
  }

  /** float32 tensor of `shape`, normal with the given mean and standard deviation. */
  normal(shape: readonly number[], mean = 0, deviation = 1): tf.Tensor {
    return this.#tensor(shape, () => mean + deviation * this.gaussian());
  }

  #tensor(shape: readonly number[], draw: () => number): tf.Tensor {
    // Most models make their first tensor here. TensorFlow.js alone would say `No backend found in registry.`
    if (tf.engine().backendNames().length === 0) {
      throw new ResourceError({
        where: 'Rng',
        rule: 'an engine must be started before the first tensor is made',
        got: 'none',
        advice: 'Call `await start()` of @ostinato/backend/node or /browser first, or import a TensorFlow.js backend.',
      });
    }
    const values = new Float32Array(tf.util.sizeFromShape([...shape]));
    for (let i = 0; i < values.length; i++) values[i] = draw();
    return tf.tensor(values, [...shape], 'float32');
  }
}

/** The largest float32 below `bound`. */
function float32Below(bound: number): number {
  const value = Float32Array.of(bound);
  if (value[0]! < bound) return value[0]!;
  const bits = new Int32Array(value.buffer);
  if (value[0] === 0) bits[0] = 0x80000001;
  else bits[0]! += value[0]! > 0 ? -1 : 1;
  return value[0]!;
}

function numberWords(label: number): number[] {
  if (!Number.isSafeInteger(label) || label < 0) {
    throw new ArgumentError({
      where: 'Rng.split',
      rule: 'a number label must be a non-negative safe integer',
      got: String(label),
    });
  }
  return [label >>> 0, Math.floor(label / 2 ** 32)];
}

function textWords(label: string): number[] {
  return [label.length, ...Array.from(label, character => character.codePointAt(0)!)];
}

/** ln x for positive normal x, from exactly rounded operations only, to about 2 ulp: x = m·2ᵉ, ln m = 2 artanh((m−1)/(m+1)). */
export function portableLog(x: number): number {
  if (!(x > 0 && x < Infinity)) checkNumber('portableLog', 'x', x, { above: 0 });
  let exponent = 0;
  let mantissa = x;
  while (mantissa > Math.SQRT2) {
    mantissa /= 2;
    exponent++;
  }
  while (mantissa < Math.SQRT1_2) {
    mantissa *= 2;
    exponent--;
  }
  const s = (mantissa - 1) / (mantissa + 1);
  const s2 = s * s;
  let series = 0;
  for (let k = 25; k >= 1; k -= 2) series = series * s2 + 1 / k;
  return exponent * Math.LN2 + 2 * s * series;
}

const polynomial = (coefficients: readonly number[], x: number): number =>
  coefficients.reduceRight((sum, c) => sum * x + c, 0);

/**
 * Inverse of the standard normal distribution function, to about 1e-7 relative, for 0 < p < 1.
 *
 * Wichura 1988, "Algorithm AS 241: the percentage points of the normal distribution", Applied Statistics 37 (PPND7).
 */
export function normalQuantile(p: number): number {
  if (!(p > 0 && p < 1)) checkNumber('normalQuantile', 'p', p, { above: 0, below: 1 });
  const q = p - 0.5;
  if (Math.abs(q) <= 0.425) {
    const r = 0.180625 - q * q;
    return (
      (q * polynomial([3.387132717, 5.0434271938e1, 1.5929113202e2, 5.910937472e1], r)) /
      polynomial([1, 1.7895169469e1, 7.8757757664e1, 6.71875636e1], r)
    );
  }
  const r = Math.sqrt(-portableLog(q < 0 ? p : 1 - p));
  const magnitude =
    r <= 5
      ? polynomial([1.4234372777, 2.75681539, 1.3067284816, 1.7023821103e-1], r - 1.6) /
        polynomial([1, 7.370016425e-1, 1.2021132975e-1], r - 1.6)
      : polynomial([6.657905115, 3.081226386, 4.2868294337e-1, 1.7337203997e-2], r - 5) /
        polynomial([1, 2.4197894225e-1, 1.2258202635e-2], r - 5);
  return q < 0 ? -magnitude : magnitude;
}
