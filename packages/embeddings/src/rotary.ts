import { checkChoice, checkNumber, checkShape, ShapeError } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';
import { checkPositions, type PositionOptions, range, waves } from './positions.ts';

/** How `rotary` turns; what a model has once and for all. */
export interface RotaryOptions {
  /**
   * Which two features turn together. `'halves'`: i and i + size/2, as in LLaMA and Hugging Face's models; `'interleaved'`: 2i and
   * 2i + 1, as in the paper, GPT-J and LLaMA's own weights. A model's weights fit one of the two only. Default `'halves'`.
   */
  readonly layout?: 'halves' | 'interleaved' | undefined;
  /** Default 10000. */
  readonly base?: number | undefined;
  /** How many features turn, from the first on: even. Those behind stay as they are (GPT-J). Default: all. */
  readonly size?: number | undefined;
}

/** Options of `rotary`. */
export interface RotaryCallOptions extends RotaryOptions, PositionOptions {
  /** `'BHTD'`: the input is [batch, heads, time, width]; `'BTHD'`: [batch, time, heads, width]. Default `'BHTD'`. */
  readonly axes?: 'BHTD' | 'BTHD' | undefined;
}

/**
 * Rotary positions: turns pairs of features of queries and keys by an angle proportional to their position, so that their products
 * depend on the distance alone.
 *
 *     (aᵢ, bᵢ) ↦ (aᵢ cos φ − bᵢ sin φ, bᵢ cos φ + aᵢ sin φ),   φ = position · base^(−2i/size)
 *
 * Angles are made in float64 from `offset`, in float32 from `positions`.
 *
 * Su et al. 2021, arXiv:2104.09864, section 3.2.2; of a part of the features: Wang and Komatsuzaki 2021, GPT-J.
 *
 * @param input float32, queries or keys
 * @returns float32, of the input's shape
 * @throws ShapeError when the input or the positions do not fit; ArgumentError when an option is out of range
 */
export function rotary(input: tf.Tensor, options: RotaryCallOptions = {}): tf.Tensor {
  const { layout = 'halves', base = 10_000, axes = 'BHTD', offset = 0, positions } = options;
  checkChoice('rotary', 'layout', layout, ['halves', 'interleaved']);
  checkChoice('rotary', 'axes', axes, ['BHTD', 'BTHD']);
  checkNumber('rotary', 'base', base, { above: 0 });
  const timeFirst = axes === 'BTHD';
  const named = timeFirst
    ? { batch: null, time: null, heads: null, width: null }
    : { batch: null, heads: null, time: null, width: null };
  checkShape('rotary', 'input', input, named, 'float32');
  const [batch, time, width] = [input.shape[0]!, input.shape[timeFirst ? 1 : 2]!, input.shape[3]!];
  const { size = width } = options;
  checkNumber('rotary', 'size', size, { integer: true, min: 2, max: width });
  if (size % 2 !== 0) throw new ShapeError({ where: 'rotary', rule: 'features turn in pairs', got: `${size} of them` });
  const perRow = checkPositions('rotary', { offset, positions }, { batch, time });

  return tf.tidy(() => {
    const frequencies = Array.from({ length: size / 2 }, (_, i) => base ** ((-2 * i) / size));
    const rows = perRow ? batch : 1;
    const broadcast = timeFirst ? [rows, time, 1, size / 2] : [rows, 1, time, size / 2];
    const wave = (name: 'sin' | 'cos'): tf.Tensor => {
      if (!positions) return tf.reshape(waves(range(offset, time), frequencies, name), broadcast);
      const angles = tf.mul(tf.reshape(tf.cast(positions, 'float32'), [-1, 1]), tf.tensor1d(frequencies));
      return tf.reshape(name === 'sin' ? tf.sin(angles) : tf.cos(angles), broadcast);
    };
    const turn = tf.customGrad((...args: unknown[]) => {
      const [x, save] = args as [tf.Tensor, tf.GradSaveFunc];
      const [cosines, sines] = [wave('cos'), wave('sin')];
      save([cosines, sines]);
      return {
        value: turned(x, cosines, sines, { layout, size }),
        // The transpose of a rotation is the rotation back.
        gradFunc: (dOutput: tf.Tensor, [cos, sin]: tf.Tensor[]) =>
          turned(dOutput, cos!, tf.neg(sin!), { layout, size }),
      };
    });
    return turn(input);
  });
}

/** `cosines` and `sines` are broadcastable to [batch, ·, ·, size/2]. */
function turned(
  x: tf.Tensor,
  cosines: tf.Tensor,
  sines: tf.Tensor,
  { layout, size }: { layout: 'halves' | 'interleaved'; size: number },
): tf.Tensor {
  const leading = x.shape.slice(0, 3);
  const [width, half] = [x.shape[3]!, size / 2];
  const part = (from: number, count: number): tf.Tensor => tf.slice(x, [0, 0, 0, from], [-1, -1, -1, count]);
  const rest = size < width ? [part(size, width - size)] : [];
  if (layout === 'halves') {
    const [a, b] = [part(0, half), part(half, half)];
    return tf.concat([...turnedPair(a, b, cosines, sines), ...rest], 3);
  }
  const pairs = tf.reshape(part(0, size), [...leading, half, 2]);
  const pick = (which: number): tf.Tensor =>
    tf.reshape(tf.slice(pairs, [0, 0, 0, 0, which], [-1, -1, -1, -1, 1]), [...leading, half]);
  const together = tf.stack(turnedPair(pick(0), pick(1), cosines, sines), 4); // [..., half, 2]
  return tf.concat([tf.reshape(together, [...leading, size]), ...rest], 3);
}

function turnedPair(a: tf.Tensor, b: tf.Tensor, cosines: tf.Tensor, sines: tf.Tensor): [tf.Tensor, tf.Tensor] {
  return [tf.sub(tf.mul(a, cosines), tf.mul(b, sines)), tf.add(tf.mul(b, cosines), tf.mul(a, sines))];
}
