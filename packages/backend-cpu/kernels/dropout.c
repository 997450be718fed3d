// Dropout with a counter-based generator: element i depends on the key and on i alone, so that the backward pass needs no
// mask. Threefry-2x32 with 20 rounds, Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (2011).
#include "dropout.h"
#include "team.h"

INLINE uvec rotate_left(uvec x, int by) { return x << by | x >> (32 - by); }

// The two words of W counters at once; every lane has its own counter in `first` and `second`.
INLINE void threefry(unsigned key0, unsigned key1, uvec *first, uvec *second) {
  const int rotations[8] = {13, 15, 26, 6, 17, 29, 16, 24};
  const unsigned keys[3] = {key0, key1, key0 ^ key1 ^ 0x1BD11BDAu};
  uvec x = *first + keys[0], y = *second + keys[1];
  UNROLL_ALL
  for (unsigned round = 0; round < 20; round++) {
    x += y;
    y = rotate_left(y, rotations[round % 8]) ^ x;
    if (round % 4 == 3) {
      unsigned block = round / 4 + 1;
      x += keys[block % 3];
      y += keys[(block + 1) % 3] + block;
    }
  }
  *first = x;
  *second = y;
}

// Which of the elements 2j … 2j + 2W − 1 are kept, as masks. Words 2j and 2j+1 are the outputs of counter (j, 2³¹), and beyond 32
// bits of (j mod 2³², 2³¹ + 4·⌊j / 2³²⌋): other second words belong to `Rng`.
struct Kept {
  ivec low, high;
};
INLINE struct Kept kept_lanes(unsigned long long j, ivec limit, unsigned key0, unsigned key1) {
  uvec start = (unsigned)j - (uvec){0}, even = (uvec){LANES} + start;
  uvec carry = (uvec)(even < start) & 4;
  uvec odd = carry + (0x80000000u + 4 * (unsigned)(j >> 32));
  threefry(key0, key1, &even, &odd);
  ivec keep_even = (ivec)(even >> 8) >= limit, keep_odd = (ivec)(odd >> 8) >= limit;
  return (struct Kept){__builtin_shufflevector(keep_even, keep_odd, LOW_TURNS),
                       __builtin_shufflevector(keep_even, keep_odd, HIGH_TURNS)};
}

// An element is kept where u ≥ rate. u is a whole number of 2⁻²⁴, and so compared: a rate rounded to float32 would now and then
// decide otherwise than the reference.
INLINE ivec keep_limit(double rate) { return (int)__builtin_ceil(rate * 0x1p24) - (ivec){0}; }

// output = input / (1 − rate) where the element is kept, else 0.
EXPORT void dropout(const float *input, float *output, usize size, double rate, unsigned key0, unsigned key1,
                    int thread, int threads, int *shared) {
  struct Team team = {thread, threads, shared};
  struct Range part = share(&team, (int)size, 32);
  vec scale = splat((float)(1.0 / (1.0 - rate)));
  ivec limit = keep_limit(rate);
  for (int i = part.first; i < part.last; i += 2 * W) {
    struct Kept kept = kept_lanes(i / 2, limit, key0, key1);
    int rest = smaller(2 * W, part.last - i);
    store_lanes(output + i, (vec)((ivec)(load_lanes(input + i, rest) * scale) & kept.low), rest);
    if (rest > W)
      store_lanes(output + i + W, (vec)((ivec)(load_lanes(input + i + W, rest - W) * scale) & kept.high), rest - W);
  }
}

void dropout_factors(float *factors, unsigned long long first, int count, double rate, unsigned key0, unsigned key1) {
  ivec scale = (ivec)splat((float)(1.0 / (1.0 - rate))), limit = keep_limit(rate);
  for (int i = 0; i < count; i += 2 * W) {
    struct Kept kept = kept_lanes((first + i) / 2, limit, key0, key1);
    store(factors + i, (vec)(scale & kept.low));
    store(factors + i + W, (vec)(scale & kept.high));
  }
}

// Random words of counters (0, 0), (1, 0), …, for tests against published answers.
EXPORT void random_words(unsigned key0, unsigned key1, unsigned counter0, unsigned counter1, unsigned *words) {
  uvec first = counter0 - (uvec){0}, second = counter1 - (uvec){0};
  threefry(key0, key1, &first, &second);
  words[0] = first[0];
  words[1] = second[0];
}
