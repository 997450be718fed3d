import { bfloat16ToFloat32, float16ToFloat32, float32ToBfloat16, float32ToFloat16 } from '@ostinato/weights';
import { describe, expect, it } from 'vitest';

const half = (...values: number[]): number[] => [...float32ToFloat16(Float32Array.from(values))];
const bfloat = (...values: number[]): number[] => [...float32ToBfloat16(Float32Array.from(values))];
const fromBits = (...bits: number[]): Float32Array => new Float32Array(Uint32Array.from(bits).buffer);

/** All 65536 bit patterns. */
const patterns = Uint16Array.from({ length: 65536 }, (_, i) => i);

describe('float16', () => {
  it('widens by the definition of binary16', () => {
    const wide = float16ToFloat32(patterns);
    for (const bits of patterns) {
      const sign = bits & 0x8000 ? -1 : 1;
      const exponent = (bits >>> 10) & 31;
      const mantissa = bits & 1023;
      const want =
        exponent === 31
          ? mantissa === 0
            ? sign * Infinity
            : Number.NaN
          : sign * (exponent === 0 ? mantissa * 2 ** -24 : (1 + mantissa / 1024) * 2 ** (exponent - 15));
      if (!Object.is(wide[bits], want)) expect.fail(`${bits}: ${wide[bits]} for ${want}`);
    }
  });

  it('narrows every half back to itself', () => {
    const quiet = (bits: number): number => ((bits & 0x7fff) > 0x7c00 ? bits | 0x200 : bits);
    expect(float32ToFloat16(float16ToFloat32(patterns))).toEqual(patterns.map(quiet));
  });

  it('rounds to the nearest half, ties to even, between all neighbours', () => {
    const wide = float16ToFloat32(patterns);
    for (let bits = 0; bits < 0x7bff; bits++) {
      const low = wide[bits]!;
      const middle = (low + wide[bits + 1]!) / 2; // exact in float32: one more bit than a half
      const [below, , above] = nextFloats(middle);
      const even = bits % 2 === 0 ? bits : bits + 1;
      const got = half(below!, middle, above!);
      if (got[0] !== bits || got[1] !== even || got[2] !== bits + 1) expect.fail(`${bits}: ${got}`);
    }
  });

  it('overflows to infinity from 65520 on', () => {
    expect(half(65504, 65519.996, 65520, 1e38, -65520, Infinity)).toEqual([
      0x7bff, 0x7bff, 0x7c00, 0x7c00, 0xfc00, 0x7c00,
    ]);
  });

  it('keeps NaN, signed zeros and subnormals', () => {
    expect(half(Number.NaN)[0]! & 0x7c00).toBe(0x7c00);
    expect(half(Number.NaN)[0]! & 0x3ff).not.toBe(0);
    expect([...float32ToFloat16(fromBits(0x7f800001, 0xffffffff))]).toEqual([0x7e00, 0xffff]);
    expect(half(0, -0, 2 ** -24, 2 ** -25, -(2 ** -26), 1.5 * 2 ** -25)).toEqual([0, 0x8000, 1, 0, 0x8000, 1]);
  });
});

/** The float32 below a positive float32, itself, and the one above. */
function nextFloats(value: number): Float32Array {
  const bits = new Uint32Array(Float32Array.of(value).buffer)[0]!;
  return fromBits(bits - 1, bits, bits + 1);
}

describe('bfloat16', () => {
  it('widens to the upper half of a float32', () => {
    expect(new Uint32Array(bfloat16ToFloat32(patterns).buffer)).toEqual(Uint32Array.from(patterns, bits => bits << 16));
  });

  it('rounds to nearest, ties to even', () => {
    const rounded = [...float32ToBfloat16(fromBits(0x3f808000, 0x3f818000, 0x3f808001, 0x3f807fff, 0x7f7fffff))];
    expect(rounded).toEqual([0x3f80, 0x3f82, 0x3f81, 0x3f80, 0x7f80]);
  });

  it('keeps NaN, infinities and signed zeros', () => {
    expect(bfloat(Infinity, -Infinity, 0, -0)).toEqual([0x7f80, 0xff80, 0, 0x8000]);
    expect([...float32ToBfloat16(fromBits(0x7f800001, 0xff800001))]).toEqual([0x7fc0, 0xffc0]);
  });
});
