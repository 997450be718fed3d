// Transcendental functions on vectors. Bounds are of the relative error against double precision, over all finite inputs
// whose result is a normal number (test/vector-math.test.ts checks them); NaN gives NaN.
#ifndef OSTINATO_VECTOR_MATH_H
#define OSTINATO_VECTOR_MATH_H

#include "vector.h"

INLINE vec exp_polynomial(vec r) {
  vec p = splat(1.9875691500e-4f);
  p = multiply_add(p, r, splat(1.3981999507e-3f));
  p = multiply_add(p, r, splat(8.3334519073e-3f));
  p = multiply_add(p, r, splat(4.1665795894e-2f));
  p = multiply_add(p, r, splat(1.6666665459e-1f));
  p = multiply_add(p, r, splat(5.0000001201e-1f));
  return multiply_add(p, r * r, r) + splat(1.0f);
}

// eˣ, error below 2e-7. x = n·ln 2 + r with |r| ≤ ln 2 / 2, eʳ by the polynomial of Cephes' expf (Moshier 1989), ln 2 in two
// parts so that n·ln 2 is exact. 2ⁿ is applied in two halves: infinity and denormals come out right.
INLINE vec vector_exp(vec x) {
  x = minimum(maximum(x, splat(-104.0f)), splat(89.0f));
  vec n = nearest(x * splat(1.44269504088896341f));
  vec r = x - n * splat(0.693359375f);
  r = r - n * splat(-2.12194440e-4f);
  vec p = exp_polynomial(r);
  ivec exponent = to_integer(n), half = exponent >> 1;
  vec first = (vec)((half + 127) << 23), second = (vec)((exponent - half + 127) << 23);
  return p * first * second;
}

// eˣ for the x ≤ 0 of a softmax, error below 2e-7, in half the instructions: below −87, where eˣ leaves the normal numbers, it
// is 0. Adding 1.5·2²³ rounds to the nearest integer, which then stands in the low bits.
INLINE vec vector_exp_negative(vec x) {
  vec shifted = multiply_add(x, splat(1.44269504088896341f), splat(12582912.0f)), n = shifted - splat(12582912.0f);
  vec r = multiply_add(n, splat(-0.693359375f), x);
  r = multiply_add(n, splat(2.12194440e-4f), r);
  vec power = (vec)(((ivec)shifted + 127) << 23);
  return (vec)((ivec)(exp_polynomial(r) * power) & ~(x < splat(-87.0f)));
}

// 1 / (1 + e⁻ˣ), error below 5e-7.
INLINE vec vector_sigmoid(vec x) { return splat(1.0f) / (splat(1.0f) + vector_exp(-x)); }

// tanh x, error below 5e-7. Below 0.625 the odd polynomial of Cephes' tanhf, which keeps the relative error small near 0;
// above it 1 − 2/(e²ˣ + 1).
INLINE vec vector_tanh(vec x) {
  vec magnitude = absolute(x), z = x * x;
  vec p = splat(-5.70498872745e-3f);
  p = multiply_add(p, z, splat(2.06390887954e-2f));
  p = multiply_add(p, z, splat(-5.37397155531e-2f));
  p = multiply_add(p, z, splat(1.33314422036e-1f));
  p = multiply_add(p, z, splat(-3.33332819422e-1f));
  vec small = multiply_add(p * z, magnitude, magnitude);
  vec big = splat(1.0f) - splat(2.0f) / (vector_exp(magnitude + magnitude) + splat(1.0f));
  ivec sign = (ivec)x & (ivec)splat(-0.0f);
  return (vec)((ivec)choose(magnitude < splat(0.625f), small, big) | sign);
}

// Φ(x), the normal distribution function, as erfc(−x/√2)/2; absolute error below 2e-7, relative error below 1e-5 in the tail
// where Φ > 1e-30. erfc by the Chebyshev fit of Press et al., Numerical Recipes (1992), section 6.2, of fractional error 1.2e-7.
INLINE vec vector_normal_cdf(vec x) {
  vec z = absolute(x) * splat(0.70710678118654752f);
  vec t = splat(1.0f) / multiply_add(z, splat(0.5f), splat(1.0f));
  vec p = splat(0.17087277f);
  p = multiply_add(p, t, splat(-0.82215223f));
  p = multiply_add(p, t, splat(1.48851587f));
  p = multiply_add(p, t, splat(-1.13520398f));
  p = multiply_add(p, t, splat(0.27886807f));
  p = multiply_add(p, t, splat(-0.18628806f));
  p = multiply_add(p, t, splat(0.09678418f));
  p = multiply_add(p, t, splat(0.37409196f));
  p = multiply_add(p, t, splat(1.00002368f));
  p = multiply_add(p, t, splat(-1.26551223f));
  vec tail = splat(0.5f) * t * vector_exp(p - z * z);
  return choose(x < splat(0.0f), tail, splat(1.0f) - tail);
}

// ln x of one positive normal number, in double precision (error below 1e-12): x = m·2ᵉ with m in [√½, √2),
// ln m = 2·artanh((m−1)/(m+1)) by its series. Infinity and NaN stay what they are.
INLINE double natural_log(double x) {
  if (x - x != 0.0) return x;
  long long bits;
  __builtin_memcpy(&bits, &x, 8);
  int exponent = (int)((bits >> 52) & 2047) - 1023;
  bits = (bits & 0xfffffffffffffLL) | 0x3ff0000000000000LL;
  double m;
  __builtin_memcpy(&m, &bits, 8);
  if (m > 1.4142135623730951) {
    m *= 0.5;
    exponent++;
  }
  double f = (m - 1.0) / (m + 1.0), f2 = f * f, series = 0.0;
  for (int k = 17; k >= 1; k -= 2) series = series * f2 + 1.0 / k;
  return 2.0 * f * series + exponent * 0.69314718055994531;
}

#endif
