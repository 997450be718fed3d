/** 16-bit floating point: IEEE 754 binary16 (`F16`) and bfloat16 (`BF16`), as arrays of their bit patterns. */

/** value / 2^shift, rounded to nearest, ties to even. */
function roundedShift(value: number, shift: number): number {
  const odd = (value >>> shift) & 1;
  return (value + (2 ** (shift - 1) - 1) + odd) >>> shift;
}

function halfFromFloatBits(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00 | ((magnitude >>> 13) & 0x3ff); // NaN: quiet, its upper payload kept
  if (magnitude >= 0x477ff000) return sign | 0x7c00; // from 65520 on, halfway to 2¹⁶, the nearest half is infinity
  if (magnitude < 0x33000000) return sign; // below 2⁻²⁵, half of the smallest subnormal
  if (magnitude < 0x38800000) {
    // Below 2⁻¹⁴ halves are multiples of 2⁻²⁴; the float is its mantissa times 2^(exponent − 150).
    const mantissa = (magnitude & 0x7fffff) | 0x800000;
    return sign | roundedShift(mantissa, 126 - (magnitude >>> 23));
  }
  // The exponent's bias falls from 127 to 15; a carry out of the mantissa rightly moves into the exponent.
  return sign | roundedShift(magnitude - ((127 - 15) << 23), 13);
}

function bfloat16FromFloatBits(bits: number): number {
  const isNotANumber = (bits & 0x7fffffff) > 0x7f800000;
  return isNotANumber ? (bits >>> 16) | 0x40 : roundedShift(bits, 16);
}

function floatBitsFromHalf(half: number): number {
  const sign = (half & 0x8000) << 16;
  const exponent = (half >>> 10) & 0x1f;
  const mantissa = half & 0x3ff;
  if (exponent === 0x1f) return sign | 0x7f800000 | (mantissa << 13);
  if (exponent !== 0) return sign | ((exponent + 127 - 15) << 23) | (mantissa << 13);
  if (mantissa === 0) return sign;
  // Subnormal: mantissa · 2⁻²⁴, normalised. clz32 counts from bit 31; the leading bit moves to bit 23.
  const leading = 31 - Math.clz32(mantissa);
  return sign | ((leading - 24 + 127) << 23) | ((mantissa << (23 - leading)) & 0x7fffff);
}

function convert(values: Float32Array, bitsOf: (bits: number) => number): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  return Uint16Array.from(bits, bitsOf);
}

function widen(halves: Uint16Array, bitsOf: (half: number) => number): Float32Array {
  const bits = new Uint32Array(halves.length);
  for (let i = 0; i < halves.length; i++) bits[i] = bitsOf(halves[i]!);
  return new Float32Array(bits.buffer);
}

/** float32 to binary16 bit patterns: to nearest, ties to even; overflow gives infinity, subnormals are kept. */
export function float32ToFloat16(values: Float32Array): Uint16Array {
  return convert(values, halfFromFloatBits);
}

/** binary16 bit patterns to float32: exact. */
export function float16ToFloat32(halves: Uint16Array): Float32Array {
  return widen(halves, floatBitsFromHalf);
}

/** float32 to bfloat16 bit patterns: to nearest, ties to even. */
export function float32ToBfloat16(values: Float32Array): Uint16Array {
  return convert(values, bfloat16FromFloatBits);
}

/** bfloat16 bit patterns to float32: exact. */
export function bfloat16ToFloat32(halves: Uint16Array): Float32Array {
  return widen(halves, half => half << 16);
}
