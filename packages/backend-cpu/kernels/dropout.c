// Dropout with a counter-based generator: element i depends on the key and on i alone, so that the backward pass needs no
// mask. Threefry-2x32 with 20 rounds, Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (2011).
#include "vector.h"

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

// output = input / (1 − rate) where u ≥ rate, else 0; words 2j and 2j+1 are the outputs of counter (j, 2³¹). u is a whole number
// of 2⁻²⁴, and so compared: a rate rounded to float32 would now and then decide otherwise than the reference.
EXPORT void dropout(const float *input, float *output, usize size, double rate, unsigned key0, unsigned key1) {
  vec scale = splat((float)(1.0 / (1.0 - rate)));
  int least = (int)__builtin_ceil(rate * 0x1p24);
  ivec limit = least - (ivec){0};
  for (usize i = 0; i < size; i += 2 * W) {
    unsigned j = (unsigned)(i / 2);
    uvec even = (uvec){LANES} + j, odd = 0x80000000u - (uvec){0};
    threefry(key0, key1, &even, &odd);
    ivec keep_even = (ivec)(even >> 8) >= limit, keep_odd = (ivec)(odd >> 8) >= limit;
    ivec low = __builtin_shufflevector(keep_even, keep_odd, LOW_TURNS);
    ivec high = __builtin_shufflevector(keep_even, keep_odd, HIGH_TURNS);
    int rest = size - i < 2 * W ? (int)(size - i) : 2 * W;
    store_lanes(output + i, (vec)((ivec)(load_lanes(input + i, rest) * scale) & low), rest);
    if (rest > W)
      store_lanes(output + i + W, (vec)((ivec)(load_lanes(input + i + W, rest - W) * scale) & high), rest - W);
  }
}

// Random words of counters (0, 0), (1, 0), …, for tests against published answers.
EXPORT void random_words(unsigned key0, unsigned key1, unsigned counter0, unsigned counter1, unsigned *words) {
  uvec first = counter0 - (uvec){0}, second = counter1 - (uvec){0};
  threefry(key0, key1, &first, &second);
  words[0] = first[0];
  words[1] = second[0];
}
