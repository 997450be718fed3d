// Transcendental functions on vectors. Bounds are of the error against double precision in units of the last place of the result,
// over all inputs; test/vector-math.test.ts checks them on every build. Limits come out as limits, NaN as NaN.
#ifndef OSTINATO_VECTOR_MATH_H
#define OSTINATO_VECTOR_MATH_H

#include "vector.h"

// eʳ − 1 for |r| ≤ ln 2 / 2.
INLINE vec expm1_polynomial(vec r) {
  vec p = splat(1.9875691500e-4f);
  p = multiply_add(p, r, splat(1.3981999507e-3f));
  p = multiply_add(p, r, splat(8.3334519073e-3f));
  p = multiply_add(p, r, splat(4.1665795894e-2f));
  p = multiply_add(p, r, splat(1.6666665459e-1f));
  p = multiply_add(p, r, splat(5.0000001201e-1f));
  return multiply_add(p, r * r, r);
}
INLINE vec exp_polynomial(vec r) { return expm1_polynomial(r) + splat(1.0f); }

// eˣ⁺ʸ for an exact x and a small y, error below 1.1 ulp when y is 0. x + y = n·ln 2 + r with |r| ≤ ln 2 / 2, eʳ by the polynomial of Cephes' expf
// (Moshier 1989), ln 2 in two parts so that n·ln 2 is exact. 2ⁿ is applied in two halves: infinity and denormals come out right.
INLINE vec vector_exp_sum(vec x, vec y) {
  x = minimum(maximum(x, splat(-104.0f)), splat(89.0f));
  vec n = nearest((x + y) * splat(1.44269504088896341f));
  vec r = x - n * splat(0.693359375f);
  r = r - n * splat(-2.12194440e-4f) + y;
  vec p = exp_polynomial(r);
  ivec exponent = to_integer(n), half = exponent >> 1;
  vec first = (vec)((half + 127) << 23), second = (vec)((exponent - half + 127) << 23);
  return p * first * second;
}
INLINE vec vector_exp(vec x) { return vector_exp_sum(x, splat(0.0f)); }

// eˣ for the x ≤ 0 of a softmax, error below 2e-7, in half the instructions: below −87, where eˣ leaves the normal numbers, it
// is 0. Adding 1.5·2²³ rounds to the nearest integer, which then stands in the low bits.
INLINE vec vector_exp_negative(vec x) {
  vec shifted = multiply_add(x, splat(1.44269504088896341f), splat(12582912.0f)), n = shifted - splat(12582912.0f);
  vec r = multiply_add(n, splat(-0.693359375f), x);
  r = multiply_add(n, splat(2.12194440e-4f), r);
  vec power = (vec)(((ivec)shifted + 127) << 23);
  return (vec)((ivec)(exp_polynomial(r) * power) & ~(x < splat(-87.0f)));
}

// 1 / (1 + e⁻ˣ), error below 3 ulp: as eˣ / (1 + eˣ) for negative x, where e⁻ˣ could overflow.
INLINE vec vector_sigmoid(vec x) {
  vec one = splat(1.0f), e = vector_exp((vec)((ivec)x | (ivec)splat(-0.0f)));
  return choose(x < splat(0.0f), e, one) / (one + e);
}

// tanh x, error below 2 ulp. Below 0.625 the odd polynomial of Cephes' tanhf, which keeps the relative error small near 0;
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

// erfc z for z ≥ 0, error below 7 ulp: t·exp(p(t) − z²) by the Chebyshev fit of Press et al., Numerical Recipes (1992),
// section 6.2, of fractional error 1.2e-7. −z² comes as an exact part and a small one: rounded, it would cost z² ulp.
INLINE vec vector_erfc_of(vec z, vec exact, vec rest) {
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
  return t * vector_exp_sum(exact, p + rest);
}

// The upper half of the digits of x, whose square is exact. From 16 on, what it is taken for gives 0 here.
INLINE vec upper_digits(vec x) { return (vec)((ivec)x & -4096); }

INLINE vec vector_erfc(vec z) {
  vec bounded = minimum(z, splat(16.0f)), upper = upper_digits(bounded);
  return vector_erfc_of(z, -upper * upper, (upper - bounded) * (upper + bounded));
}

// erf x, error below 2 ulp: x·P(x²) below 1, a minimax fit of relative error 1.3e-9, so that the digits near 0 are kept.
INLINE vec vector_erf(vec x) {
  vec magnitude = absolute(x), square = x * x;
  vec p = splat(7.8538611801e-5f);
  p = multiply_add(p, square, splat(-8.01019356926e-4f));
  p = multiply_add(p, square, splat(5.18832767868e-3f));
  p = multiply_add(p, square, splat(-2.6853811931e-2f));
  p = multiply_add(p, square, splat(0.112835851485f));
  p = multiply_add(p, square, splat(-0.376126258242f));
  p = multiply_add(p, square, splat(0.12837916573f));
  vec small = multiply_add(p, x, x), big = splat(1.0f) - vector_erfc(magnitude);
  big = (vec)((ivec)big | ((ivec)x & (ivec)splat(-0.0f)));
  return choose(magnitude < splat(1.0f), small, big);
}

// Φ(x), the normal distribution function, as erfc(−x/√2)/2, error below 7 ulp.
INLINE vec vector_normal_cdf(vec x) {
  vec magnitude = minimum(absolute(x), splat(16.0f)), upper = upper_digits(magnitude), half = splat(0.5f);
  vec rest = half * (upper - magnitude) * (upper + magnitude);
  vec tail = half * vector_erfc_of(magnitude * splat(0.70710678118654752f), -half * upper * upper, rest);
  return choose(x < splat(0.0f), tail, splat(1.0f) - tail);
}

// ln x, error below 1.1 ulp; −∞ at 0, NaN below. x = m·2ᵉ with m in [√½, √2); ln(1 + r) = r − r²/2 + r³·Q(r) with Q a minimax fit
// of relative error 7e-8; ln 2 in two parts, so that e·ln 2 is exact.
INLINE vec vector_log(vec x) {
  ivec tiny = x < splat(1.17549435e-38f);
  vec scaled = choose(tiny, x * splat(8388608.0f), x);
  // Unsigned, because a negative x, whose result is thrown away, overflows.
  ivec exponent = (ivec)((uvec)scaled - (uvec)splat(0.70710678f)) >> 23;
  vec m = (vec)((uvec)scaled - ((uvec)exponent << 23)), r = m - splat(1.0f);
  vec e = __builtin_convertvector(exponent, vec) - choose(tiny, splat(23.0f), splat(0.0f)), square = r * r;
  vec q = splat(7.03767194076e-2f);
  q = multiply_add(q, r, splat(-0.115146018917f));
  q = multiply_add(q, r, splat(0.116769990833f));
  q = multiply_add(q, r, splat(-0.124201421226f));
  q = multiply_add(q, r, splat(0.142493229159f));
  q = multiply_add(q, r, splat(-0.166680576096f));
  q = multiply_add(q, r, splat(0.20000714758f));
  q = multiply_add(q, r, splat(-0.249999939938f));
  q = multiply_add(q, r, splat(0.333333311736f));
  vec rest = q * r * square + e * splat(-2.12194440e-4f) - splat(0.5f) * square;
  vec result = e * splat(0.693359375f) + (r + rest);
  result = choose(x == splat(0.0f), splat(-__builtin_inff()), result);
  result = choose(x < splat(0.0f), splat(__builtin_nanf("")), result);
  // ∞ and NaN are their own logarithms.
  return choose(x < splat(__builtin_inff()), result, x);
}

// eˣ − 1, error below 5 ulp: near 0 the polynomial of eˣ without its 1, which would take the digits.
INLINE vec vector_expm1(vec x) {
  vec small = expm1_polynomial(x), big = vector_exp(x) - splat(1.0f);
  ivec sign = (ivec)x & (ivec)splat(-0.0f);
  return (vec)((ivec)choose(absolute(x) < splat(0.34657359f), small, big) | sign);
}

// ln(1 + x), error below 3 ulp: what the rounding of u = 1 + x lost is added to ln u, times its slope 1/u.
INLINE vec vector_log1p(vec x) {
  vec u = splat(1.0f) + x, lost = x - (u - splat(1.0f)), log = vector_log(u);
  ivec proper = (u > splat(0.0f)) & (u < splat(__builtin_inff())), sign = (ivec)x & (ivec)splat(-0.0f);
  return choose(proper, (vec)((ivec)(log + lost / u) | sign), log);
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
