import type * as tf from '@tensorflow/tfjs-core';
import { ArgumentError, ShapeError } from './errors.ts';

/** One axis of an expected shape: a fixed size, or `null` where any size will do. */
export type Axis = number | null;

const show = (shape: readonly Axis[]): string => `[${shape.map(size => size ?? '?').join(', ')}]`;

/**
 * Checks a tensor's shape and, when given, its dtype.
 *
 * `axes` names the axes and gives their sizes: `{ batch: null, time: null, inputSize: 256 }`.
 *
 * @throws ShapeError e.g. `LSTM.call: input must be [batch, time, inputSize], expected [?, ?, 256], got [4, 100, 128].`
 */
export function checkShape(
  where: string,
  name: string,
  tensor: { readonly shape: readonly number[]; readonly dtype?: tf.DataType },
  axes: Readonly<Record<string, Axis>>,
  dtype?: tf.DataType,
): void {
  checkIsTensor(where, name, tensor, axes);
  if (!fits(tensor.shape, axes)) {
    const rule = `${name} must be [${Object.keys(axes).join(', ')}]`;
    throw new ShapeError({ where, rule, expected: show(Object.values(axes)), got: show(tensor.shape) });
  }
  if (dtype !== undefined && tensor.dtype !== dtype) {
    throw new ShapeError({ where, rule: `${name} must have dtype ${dtype}`, got: String(tensor.dtype) });
  }
}

function checkIsTensor(where: string, name: string, tensor: unknown, axes: Readonly<Record<string, Axis>>): void {
  if (Array.isArray((tensor as tf.Tensor | undefined | null)?.shape)) return;
  const rule = `${name} must be a tensor [${Object.keys(axes).join(', ')}]`;
  const got = Array.isArray(tensor) ? 'an array' : tensor === null ? 'null' : typeof tensor;
  throw new ShapeError({ where, rule, got, advice: 'Make one of numbers with tf.tensor.' });
}

/** A loop, for every op of a step of generation comes here: lists of keys and values would take longer than the op. */
function fits(shape: readonly number[], axes: Readonly<Record<string, Axis>>): boolean {
  let axis = 0;
  for (const name in axes) {
    const size = axes[name];
    if (axis === shape.length || (size !== null && size !== shape[axis])) return false;
    axis++;
  }
  return axis === shape.length;
}

/**
 * Checks that a float32 tensor is [..., size].
 *
 * @throws ShapeError naming `size` by `axis`
 */
export function checkLastAxis(where: string, name: string, tensor: tf.Tensor, axis: string, size: number): void {
  const shape = (tensor as tf.Tensor | undefined)?.shape;
  if (tensor?.dtype === 'float32' && shape?.at(-1) === size) return;
  checkIsTensor(where, name, tensor, { ['...']: null, [axis]: size });
  const leading = tensor.shape.slice(0, -1).map((_, i) => [`axis${i}`, null] as const);
  checkShape(where, name, tensor, { ...Object.fromEntries(leading), [axis]: size }, 'float32');
}

/** A range for `checkNumber`. */
export interface NumberRange {
  readonly integer?: boolean | undefined;
  readonly min?: number | undefined;
  readonly max?: number | undefined;
  /** The value must be greater than this. */
  readonly above?: number | undefined;
  /** The value must be less than this. */
  readonly below?: number | undefined;
}

/**
 * Checks that an option is a finite number inside `range`.
 *
 * @throws ArgumentError naming the option, its range and the value.
 */
export function checkNumber(where: string, name: string, value: number, range: NumberRange = {}): void {
  const { integer = false, min = -Infinity, max = Infinity, above = -Infinity, below = Infinity } = range;
  const fits =
    Number.isFinite(value) &&
    (!integer || Number.isInteger(value)) &&
    value >= min &&
    value <= max &&
    value > above &&
    value < below;
  if (fits) return;
  const bounds = [
    min > -Infinity ? `≥ ${min}` : '',
    above > -Infinity ? `> ${above}` : '',
    max < Infinity ? `≤ ${max}` : '',
    below < Infinity ? `< ${below}` : '',
  ].filter(Boolean);
  const kind = integer ? 'an integer' : 'a finite number';
  const isText = typeof (value as unknown) === 'string';
  const got = isText ? `the string ${JSON.stringify(value)}` : String(value);
  throw new ArgumentError({ where, rule: `${name} must be ${[kind, ...bounds].join(' ')}`, got });
}

/**
 * Checks that an option is one of `choices`.
 *
 * @throws ArgumentError listing every valid choice.
 */
export function checkChoice<Choice extends string>(
  where: string,
  name: string,
  value: string,
  choices: readonly Choice[],
): asserts value is Choice {
  if ((choices as readonly string[]).includes(value)) return;
  const expected = choices.map(choice => `'${choice}'`).join(' | ');
  throw new ArgumentError({ where, rule: `unknown ${name}`, expected, got: `'${value}'` });
}
