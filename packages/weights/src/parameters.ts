import { FormatError, type Parameters, ShapeError } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';
import { fromFloat32, type SafeTensor, toFloat32 } from './dtype.ts';
import { checkValues, writeSafetensors } from './write.ts';

/** Options of `parametersToBytes`. */
export interface ParametersToBytesOptions {
  /** How float32 parameters are stored. F16 halves the file and rounds to nearest. Default F32. */
  readonly dtype?: 'F32' | 'F16' | 'BF16' | undefined;
  readonly metadata?: ReadonlyMap<string, string> | undefined;
}

/** Reads parameters (or tensors by name) back from the engine. float32 becomes F32, int32 I32, bool BOOL. */
export async function readTensors(
  tensors: ReadonlyMap<string, tf.Tensor>,
  dtype: 'F32' | 'F16' | 'BF16' = 'F32',
): Promise<Map<string, SafeTensor>> {
  const read = new Map<string, SafeTensor>();
  for (const [name, tensor] of tensors) {
    // A copy: on some backends `data()` is the engine's own memory, which the next step overwrites.
    const values = (await tensor.data()).slice();
    const { shape } = tensor;
    if (tensor.dtype === 'int32') read.set(name, { dtype: 'I32', shape, data: values as Int32Array });
    else if (tensor.dtype === 'bool') read.set(name, { dtype: 'BOOL', shape, data: values as Uint8Array });
    else read.set(name, fromFloat32(values as Float32Array, shape, dtype));
  }
  return read;
}

/** A model's parameters as a safetensors file, named by path: `parametersToBytes(parameters(model), { dtype: 'F16' })`. */
export async function parametersToBytes(
  parameters: Parameters,
  { dtype = 'F32', metadata = new Map() }: ParametersToBytesOptions = {},
): Promise<Uint8Array> {
  return writeSafetensors({ tensors: await readTensors(parameters, dtype), metadata });
}

/** Options of `assignParameters`. */
export interface AssignOptions {
  /** Whether the names must be exactly those of the parameters. Otherwise the names in common are assigned. Default true. */
  readonly strict?: boolean | undefined;
}

/** Names that `assignParameters` did not use. */
export interface AssignReport {
  /** Parameters without a tensor. */
  readonly missing: readonly string[];
  /** Tensors without a parameter. */
  readonly unexpected: readonly string[];
}

const where = 'assignParameters';

/**
 * Checks that tensors fit parameters of the same name: what `assignParameters` does first. float32 parameters take any
 * floating point dtype, int32 takes I32 and bool takes BOOL.
 *
 * @throws FormatError when, being strict, names differ, or a dtype does not fit
 * @throws ShapeError when a shape differs
 * @throws ArgumentError when values are not the array of their dtype and shape
 */
export function checkParameters(
  parameters: Parameters,
  tensors: ReadonlyMap<string, SafeTensor>,
  { strict = true }: AssignOptions = {},
): AssignReport {
  const missing = [...parameters.keys()].filter(name => !tensors.has(name));
  const unexpected = [...tensors.keys()].filter(name => !parameters.has(name));
  if (strict && missing.length + unexpected.length > 0) {
    const facts = [
      missing.length > 0 ? `without ${listed(missing)}` : '',
      unexpected.length > 0 ? `with the unknown ${listed(unexpected)}` : '',
    ];
    throw new FormatError({
      where,
      rule: "the tensors must be the model's parameters",
      got: `tensors ${facts.filter(Boolean).join(' and ')}`,
      advice: 'Pass { strict: false } to assign the names in common.',
    });
  }
  for (const [name, variable] of parameters) {
    const tensor = tensors.get(name);
    if (tensor) checkFit(name, variable, tensor);
  }
  return { missing, unexpected };
}

/**
 * Gives parameters the values of tensors of the same name. Every name, shape, dtype and length is checked before
 * the first parameter changes.
 *
 * @throws as `checkParameters`
 */
export function assignParameters(
  parameters: Parameters,
  tensors: ReadonlyMap<string, SafeTensor>,
  options: AssignOptions = {},
): AssignReport {
  const report = checkParameters(parameters, tensors, options);
  for (const [name, variable] of parameters) {
    const tensor = tensors.get(name);
    if (!tensor) continue;
    const values = variable.dtype === 'float32' ? toFloat32(tensor) : (tensor.data as Int32Array | Uint8Array);
    // A copy: some backends keep the array they are given, and this one may be a view of a file.
    const fresh = tf.tensor(values.slice(), variable.shape, variable.dtype as 'float32');
    variable.assign(fresh);
    fresh.dispose();
  }
  return report;
}

const accepted: Readonly<Record<string, readonly string[]>> = {
  float32: ['F32', 'F16', 'BF16', 'F64'],
  int32: ['I32'],
  bool: ['BOOL'],
};

function checkFit(name: string, variable: tf.Variable, tensor: SafeTensor): void {
  const fitting = accepted[variable.dtype] ?? [];
  if (!fitting.includes(tensor.dtype)) {
    throw new FormatError({
      where,
      path: name,
      rule: `the dtype must fit ${variable.dtype}`,
      expected: fitting.join(' | '),
      got: tensor.dtype,
    });
  }
  if (!tf.util.arraysEqual(variable.shape, [...tensor.shape])) {
    throw new ShapeError({
      where,
      path: name,
      rule: 'the shape must be that of the parameter',
      expected: `[${variable.shape.join(', ')}]`,
      got: `[${tensor.shape.join(', ')}]`,
    });
  }
  checkValues(where, name, tensor);
}

/** The first few names and how many more there are. */
function listed(names: readonly string[]): string {
  const shown = names.slice(0, 5).join(', ');
  return names.length > 5 ? `${shown} and ${names.length - 5} more` : shown;
}
