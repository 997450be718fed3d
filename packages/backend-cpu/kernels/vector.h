// Vectors of W floats, the same source for every machine: the compiler turns the types below into SIMD instructions, of
// WebAssembly (W = 4), AVX-512 (16), AVX2 (8) or NEON (4). Loads and stores need no alignment. `-ffp-contract=off` is set, so
// that only `multiply_add` may fuse, and only where the target has a fused instruction.
#ifndef OSTINATO_VECTOR_H
#define OSTINATO_VECTOR_H

#if defined(__wasm__)
#include <wasm_simd128.h>
#define W 4
#elif defined(__AVX512F__)
#include <immintrin.h>
#define W 16
#elif defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>
#define W 8
#elif defined(__aarch64__)
#include <arm_neon.h>
#define W 4
#else
#error "The kernels need WebAssembly SIMD, AVX2 with FMA, AVX-512 or NEON."
#endif

// Each lane's number, and the two halves of what two vectors give when their lanes take turns.
#if W == 4
#define LANES 0, 1, 2, 3
#define LOW_TURNS 0, 4, 1, 5
#define HIGH_TURNS 2, 6, 3, 7
#elif W == 8
#define LANES 0, 1, 2, 3, 4, 5, 6, 7
#define LOW_TURNS 0, 8, 1, 9, 2, 10, 3, 11
#define HIGH_TURNS 4, 12, 5, 13, 6, 14, 7, 15
#else
#define LANES 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
#define LOW_TURNS 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define HIGH_TURNS 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#endif

typedef float vec __attribute__((vector_size(4 * W)));
typedef int ivec __attribute__((vector_size(4 * W)));
typedef unsigned uvec __attribute__((vector_size(4 * W)));
typedef float stored_vec __attribute__((vector_size(4 * W), aligned(4), may_alias));
typedef __SIZE_TYPE__ usize;

#define INLINE static inline __attribute__((always_inline))
#if defined(_WIN32)
#define EXPORT __attribute__((dllexport))
#else
#define EXPORT __attribute__((visibility("default")))
#endif
#if defined(__clang__)
#define UNROLL_ALL _Pragma("clang loop unroll(full)")
#define UNROLL_NEVER _Pragma("clang loop unroll(disable)")
#else
#define UNROLL_ALL _Pragma("GCC unroll 32")
#define UNROLL_NEVER _Pragma("GCC unroll 1")
#endif

INLINE vec load(const float *p) { return *(const stored_vec *)p; }
INLINE void store(float *p, vec x) { *(stored_vec *)p = x; }
// Lanes of `a` where the mask is all ones, of `b` where it is zero.
INLINE vec choose(ivec mask, vec a, vec b) { return (vec)(((ivec)a & mask) | ((ivec)b & ~mask)); }

// What each target has its own instruction for:
//   multiply_add           a·b + c, fused where there is such an instruction
//   minimum, maximum       lane-wise; a NaN in either operand gives NaN
//   nearest                the nearest whole number, the even one of two
//   to_integer             towards 0; what an int cannot hold (NaN too) gives any int
//   load_some, store_some  the first `count` lanes only (0 < count < W); the others read as zero and are not written
#if defined(__wasm__)
#if defined(__wasm_relaxed_simd__)
INLINE vec multiply_add(vec a, vec b, vec c) { return (vec)__builtin_wasm_relaxed_madd_f32x4(a, b, c); }
#else
INLINE vec multiply_add(vec a, vec b, vec c) { return a * b + c; }
#endif
INLINE vec splat(float x) { return (vec)wasm_f32x4_splat(x); }
INLINE vec load_splat(const float *p) { return (vec)wasm_v128_load32_splat(p); }
INLINE vec minimum(vec a, vec b) { return (vec)wasm_f32x4_min((v128_t)a, (v128_t)b); }
INLINE vec maximum(vec a, vec b) { return (vec)wasm_f32x4_max((v128_t)a, (v128_t)b); }
INLINE vec square_root(vec a) { return (vec)wasm_f32x4_sqrt((v128_t)a); }
INLINE vec nearest(vec a) { return (vec)wasm_f32x4_nearest((v128_t)a); }
INLINE vec absolute(vec a) { return (vec)wasm_f32x4_abs((v128_t)a); }
INLINE ivec to_integer(vec a) { return (ivec)wasm_i32x4_trunc_sat_f32x4((v128_t)a); }
#else
INLINE vec splat(float x) { return x - (vec){0}; }
INLINE vec load_splat(const float *p) { return splat(*p); }
INLINE vec absolute(vec a) { return (vec)((ivec)a & 0x7fffffff); }
#endif

#if defined(__AVX512F__)
INLINE vec multiply_add(vec a, vec b, vec c) { return (vec)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c); }
// The instruction gives its second operand when either is NaN.
INLINE vec nan_of(vec a, vec other) {
  return (vec)_mm512_mask_mov_ps((__m512)other, _mm512_cmp_ps_mask((__m512)a, (__m512)a, _CMP_UNORD_Q), (__m512)a);
}
INLINE vec minimum(vec a, vec b) { return nan_of(a, (vec)_mm512_min_ps((__m512)a, (__m512)b)); }
INLINE vec maximum(vec a, vec b) { return nan_of(a, (vec)_mm512_max_ps((__m512)a, (__m512)b)); }
INLINE vec square_root(vec a) { return (vec)_mm512_sqrt_ps((__m512)a); }
INLINE vec nearest(vec a) { return (vec)_mm512_roundscale_ps((__m512)a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
INLINE ivec to_integer(vec a) { return (ivec)_mm512_cvttps_epi32((__m512)a); }
#elif defined(__AVX2__)
INLINE vec multiply_add(vec a, vec b, vec c) { return (vec)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c); }
// The instruction gives its second operand when either is NaN.
INLINE vec nan_of(vec a, vec other) {
  return (vec)_mm256_blendv_ps((__m256)other, (__m256)a, _mm256_cmp_ps((__m256)a, (__m256)a, _CMP_UNORD_Q));
}
INLINE vec minimum(vec a, vec b) { return nan_of(a, (vec)_mm256_min_ps((__m256)a, (__m256)b)); }
INLINE vec maximum(vec a, vec b) { return nan_of(a, (vec)_mm256_max_ps((__m256)a, (__m256)b)); }
INLINE vec square_root(vec a) { return (vec)_mm256_sqrt_ps((__m256)a); }
INLINE vec nearest(vec a) { return (vec)_mm256_round_ps((__m256)a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
INLINE ivec to_integer(vec a) { return (ivec)_mm256_cvttps_epi32((__m256)a); }
#elif !defined(__wasm__)
INLINE vec multiply_add(vec a, vec b, vec c) { return (vec)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b); }
INLINE vec minimum(vec a, vec b) { return (vec)vminq_f32((float32x4_t)a, (float32x4_t)b); }
INLINE vec maximum(vec a, vec b) { return (vec)vmaxq_f32((float32x4_t)a, (float32x4_t)b); }
INLINE vec square_root(vec a) { return (vec)vsqrtq_f32((float32x4_t)a); }
INLINE vec nearest(vec a) { return (vec)vrndnq_f32((float32x4_t)a); }
INLINE ivec to_integer(vec a) { return (ivec)vcvtq_s32_f32((float32x4_t)a); }
#endif

// GCC's sanitizer does not look into masked instructions: lane by lane where it is on.
#if defined(__AVX512F__) && !defined(__SANITIZE_ADDRESS__)
INLINE __mmask16 first_lanes(int count) { return (__mmask16)((1u << count) - 1); }
INLINE vec load_some(const float *p, int count) { return (vec)_mm512_maskz_loadu_ps(first_lanes(count), p); }
INLINE void store_some(float *p, vec x, int count) { _mm512_mask_storeu_ps(p, first_lanes(count), (__m512)x); }
#elif defined(__AVX2__) && !defined(__SANITIZE_ADDRESS__)
INLINE __m256i first_lanes(int count) { return (__m256i)((ivec){LANES} < count); }
INLINE vec load_some(const float *p, int count) { return (vec)_mm256_maskload_ps(p, first_lanes(count)); }
INLINE void store_some(float *p, vec x, int count) { _mm256_maskstore_ps(p, first_lanes(count), (__m256)x); }
#else
// Rare, so kept out of line.
static __attribute__((noinline)) vec load_some(const float *p, int count) {
  vec x = {0};
  x[0] = p[0];
  for (int i = 1; i < W - 1; i++)
    if (count > i) x[i] = p[i];
  return x;
}
static __attribute__((noinline)) void store_some(float *p, vec x, int count) {
  p[0] = x[0];
  for (int i = 1; i < W - 1; i++)
    if (count > i) p[i] = x[i];
}
#endif

INLINE vec load_lanes(const float *p, int count) { return count >= W ? load(p) : load_some(p, count); }
INLINE void store_lanes(float *p, vec x, int count) {
  if (count >= W) store(p, x);
  else store_some(p, x, count);
}

// In pairs of halves, as wide as they come: a[0] + a[W/2], …
INLINE float sum_lanes(vec a) {
#if W > 4
  float sums[W];
  store(sums, a);
  for (int half = W / 2; half > 1; half /= 2)
    for (int i = 0; i < half; i++) sums[i] += sums[i + half];
  return sums[0] + sums[1];
#else
  return (a[0] + a[2]) + (a[1] + a[3]);
#endif
}
INLINE float max_lanes(vec a) {
  float largest = a[0];
  for (int i = 1; i < W; i++) largest = a[i] > largest ? a[i] : largest;
  return largest;
}

INLINE int smaller(int a, int b) { return a < b ? a : b; }
INLINE int larger(int a, int b) { return a > b ? a : b; }

INLINE void copy_floats(float *to, const float *from, usize count) { __builtin_memcpy(to, from, 4 * count); }
INLINE void zero_floats(float *to, usize count) { __builtin_memset(to, 0, 4 * count); }

// Takes `count` floats from the scratch memory at `*cursor`, in units of a cache line. Where addresses end the cursor stays,
// so that more than there can be is measured as all there can be, and never as little.
INLINE float *take(float **cursor, usize count) {
  usize start = (usize)*cursor;
  usize room = (~(usize)63 - start) / sizeof(float), rounded = (count + 15) & ~(usize)15;
  *cursor = (float *)(start + sizeof(float) * (count < room && rounded < room ? rounded : room));
  return (float *)start;
}

// Floats from `start` to `end`. The difference of the pointers themselves is signed: negative from 2 GB of 32-bit addresses on.
INLINE usize floats_between(const float *start, const float *end) { return ((usize)end - (usize)start) / sizeof(float); }

#endif
