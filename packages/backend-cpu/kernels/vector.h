// Vectors of W floats, the same source for every machine: Clang turns the types below into SIMD instructions.
// Loads and stores need no alignment. `-ffp-contract=off` is set, so that only `multiply_add` may fuse, and only where the
// target has a fused instruction.
#ifndef OSTINATO_VECTOR_H
#define OSTINATO_VECTOR_H

#include <wasm_simd128.h>

#define W 4
typedef float vec __attribute__((vector_size(4 * W), aligned(4)));
typedef int ivec __attribute__((vector_size(4 * W), aligned(4)));
typedef unsigned uvec __attribute__((vector_size(4 * W), aligned(4)));
typedef __SIZE_TYPE__ usize;

#define INLINE static inline __attribute__((always_inline))
#define EXPORT __attribute__((visibility("default")))

#if defined(__wasm_relaxed_simd__)
INLINE vec multiply_add(vec a, vec b, vec c) { return (vec)__builtin_wasm_relaxed_madd_f32x4(a, b, c); }
#else
INLINE vec multiply_add(vec a, vec b, vec c) { return a * b + c; }
#endif

INLINE vec splat(float x) { return (vec)wasm_f32x4_splat(x); }
INLINE vec load_splat(const float *p) { return (vec)wasm_v128_load32_splat(p); }
INLINE vec load(const float *p) { return *(const vec *)p; }
INLINE void store(float *p, vec x) { *(vec *)p = x; }

// The first `count` lanes only; the others read as zero and are not written. Rare, so kept out of line.
static __attribute__((noinline)) vec load_some(const float *p, int count) {
  vec x = {0};
  x[0] = p[0];
  if (count > 1) x[1] = p[1];
  if (count > 2) x[2] = p[2];
  return x;
}
static __attribute__((noinline)) void store_some(float *p, vec x, int count) {
  p[0] = x[0];
  if (count > 1) p[1] = x[1];
  if (count > 2) p[2] = x[2];
}
INLINE vec load_lanes(const float *p, int count) { return count >= W ? load(p) : load_some(p, count); }
INLINE void store_lanes(float *p, vec x, int count) {
  if (count >= W) store(p, x);
  else store_some(p, x, count);
}

// Lane-wise; a NaN in either operand gives NaN.
INLINE vec minimum(vec a, vec b) { return (vec)wasm_f32x4_min((v128_t)a, (v128_t)b); }
INLINE vec maximum(vec a, vec b) { return (vec)wasm_f32x4_max((v128_t)a, (v128_t)b); }
INLINE vec square_root(vec a) { return (vec)wasm_f32x4_sqrt((v128_t)a); }
INLINE vec nearest(vec a) { return (vec)wasm_f32x4_nearest((v128_t)a); }
INLINE vec absolute(vec a) { return (vec)wasm_f32x4_abs((v128_t)a); }
INLINE ivec to_integer(vec a) { return (ivec)wasm_i32x4_trunc_sat_f32x4((v128_t)a); }
// Lanes of `a` where the mask is all ones, of `b` where it is zero.
INLINE vec choose(ivec mask, vec a, vec b) { return (vec)(((ivec)a & mask) | ((ivec)b & ~mask)); }

INLINE float sum_lanes(vec a) { return (a[0] + a[2]) + (a[1] + a[3]); }
INLINE float max_lanes(vec a) {
  float x = a[0] > a[1] ? a[0] : a[1], y = a[2] > a[3] ? a[2] : a[3];
  return x > y ? x : y;
}

INLINE int smaller(int a, int b) { return a < b ? a : b; }
INLINE int larger(int a, int b) { return a > b ? a : b; }

INLINE void copy_floats(float *to, const float *from, usize count) { __builtin_memcpy(to, from, 4 * count); }
INLINE void zero_floats(float *to, usize count) { __builtin_memset(to, 0, 4 * count); }

// Takes `count` floats from the scratch memory at `*cursor`, in units of a cache line. Where 32-bit addresses end the cursor
// stays, so that more than there can be is measured as all there can be, and never as little.
INLINE float *take(float **cursor, usize count) {
  float *start = *cursor;
  usize room = (~(usize)63 - (usize)start) / sizeof(float), rounded = (count + 15) & ~(usize)15;
  *cursor += count < room && rounded < room ? rounded : room;
  return start;
}

// Floats from `start` to `end`. The difference of the pointers themselves is signed: negative from 2 GB on.
INLINE usize floats_between(const float *start, const float *end) { return ((usize)end - (usize)start) / sizeof(float); }

#endif
