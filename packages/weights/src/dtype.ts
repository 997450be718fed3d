import { ArgumentError } from '@ostinato/core';
import { bfloat16ToFloat32, float16ToFloat32, float32ToBfloat16, float32ToFloat16 } from './half.ts';

/** Element types of safetensors that this package reads and writes. */
export type DType =
  | 'F64'
  | 'F32'
  | 'F16'
  | 'BF16'
  | 'I64'
  | 'I32'
  | 'I16'
  | 'I8'
  | 'U64'
  | 'U32'
  | 'U16'
  | 'U8'
  | 'BOOL';

/** Values of a tensor, flat and row-major. F16 and BF16 are bit patterns in a Uint16Array, BOOL is 0 and 1 in a Uint8Array. */
export type TensorData =
  | Float64Array
  | Float32Array
  | BigInt64Array
  | BigUint64Array
  | Int32Array
  | Uint32Array
  | Int16Array
  | Uint16Array
  | Int8Array
  | Uint8Array;

/** One tensor of a safetensors file. */
export interface SafeTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: TensorData;
}

interface ArrayType {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): TensorData;
}

/** The array that holds a dtype's values. Typed arrays are little-endian, as the format is, on every platform of JavaScript. */
export const arrayTypes: Readonly<Record<DType, ArrayType>> = {
  F64: Float64Array,
  F32: Float32Array,
  F16: Uint16Array,
  BF16: Uint16Array,
  I64: BigInt64Array,
  I32: Int32Array,
  I16: Int16Array,
  I8: Int8Array,
  U64: BigUint64Array,
  U32: Uint32Array,
  U16: Uint16Array,
  U8: Uint8Array,
  BOOL: Uint8Array,
};

/** Every dtype. */
export const dtypes: readonly DType[] = Object.keys(arrayTypes) as DType[];

/**
 * A floating point tensor's values as float32. F16 and BF16 widen exactly; F64 is rounded to nearest.
 *
 * @returns the tensor's own array when it is F32
 * @throws ArgumentError when the dtype is not F64, F32, F16 or BF16
 */
export function toFloat32({ dtype, data }: SafeTensor): Float32Array {
  if (dtype === 'F32') return data as Float32Array;
  if (dtype === 'F64') return Float32Array.from(data as Float64Array);
  if (dtype === 'F16') return float16ToFloat32(data as Uint16Array);
  if (dtype === 'BF16') return bfloat16ToFloat32(data as Uint16Array);
  throw new ArgumentError({
    where: 'toFloat32',
    rule: 'the tensor must be of floating point',
    expected: 'F64 | F32 | F16 | BF16',
    got: dtype,
  });
}

/** A tensor of `shape` in a floating point dtype of at most 32 bits: rounded to nearest, ties to even. */
export function fromFloat32(values: Float32Array, shape: readonly number[], dtype: 'F32' | 'F16' | 'BF16'): SafeTensor {
  if (dtype === 'F32') return { dtype, shape, data: values };
  return { dtype, shape, data: dtype === 'F16' ? float32ToFloat16(values) : float32ToBfloat16(values) };
}
