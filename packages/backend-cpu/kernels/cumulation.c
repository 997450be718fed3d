// Running sums and products along an axis.
#include "team.h"

enum Cumulation { RUNNING_SUM, RUNNING_PRODUCT, RUNNING_INTEGER_SUM };

INLINE vec run_lanes(int operation, vec total, vec x) {
  if (operation == RUNNING_INTEGER_SUM) return (vec)((uvec)total + (uvec)x);
  return operation == RUNNING_SUM ? total + x : total * x;
}
INLINE float run_one(int operation, float total, float x) {
  if (operation != RUNNING_INTEGER_SUM) return operation == RUNNING_SUM ? total + x : total * x;
  unsigned a, b;
  __builtin_memcpy(&a, &total, 4);
  __builtin_memcpy(&b, &x, 4);
  a += b;
  __builtin_memcpy(&total, &a, 4);
  return total;
}
// What the first value goes to: −0 leaves a zero its sign, which an exclusive sum does not begin with.
INLINE float before_first(int operation, int exclusive) {
  if (operation == RUNNING_PRODUCT) return 1.0f;
  return operation == RUNNING_SUM && !exclusive ? -0.0f : 0.0f;
}

// Several rows at a time, since each value waits for the one before it.
INLINE void run_rows(int operation, int rows, const float *x, float *out, int size, int exclusive, int reverse) {
  float totals[4];
  for (int r = 0; r < rows; r++) totals[r] = before_first(operation, exclusive);
  for (int k = 0; k < size; k++) {
    usize at = reverse ? size - 1 - k : k;
    for (int r = 0; r < rows; r++, at += size) {
      float total = run_one(operation, totals[r], x[at]);
      out[at] = exclusive ? totals[r] : total;
      totals[r] = total;
    }
  }
}

INLINE void run_columns(int operation, const float *x, float *out, int size, int inner, int lanes, int exclusive, int reverse) {
  vec total = splat(before_first(operation, exclusive));
  for (int k = 0; k < size; k++) {
    usize at = (usize)(reverse ? size - 1 - k : k) * inner;
    vec next = run_lanes(operation, total, load_lanes(x + at, lanes));
    store_lanes(out + at, exclusive ? total : next, lanes);
    total = next;
  }
}

INLINE void cumulate_area(int operation, const float *x, float *out, int size, int inner, int exclusive, int reverse,
                          struct Area part) {
  usize block = (usize)size * inner;
  for (int i = part.rows.first; i < part.rows.last;) {
    if (inner > 1) {
      for (int j = part.columns.first; j < part.columns.last; j += W) {
        int lanes = smaller(W, part.columns.last - j);
        run_columns(operation, x + i * block + j, out + i * block + j, size, inner, lanes, exclusive, reverse);
      }
      i++;
    } else if (part.columns.first == part.columns.last) {
      return;
    } else if (i + 4 <= part.rows.last) {
      run_rows(operation, 4, x + i * block, out + i * block, size, exclusive, reverse);
      i += 4;
    } else {
      run_rows(operation, 1, x + i * block, out + i * block, size, exclusive, reverse);
      i++;
    }
  }
}

// out[outer, j, inner] = x[outer, 0, inner] ∘ … ∘ x[outer, j, inner], without the last where `exclusive`; from the end where
// `reverse`. `out` is not x.
EXPORT void cumulate(int operation, const float *x, float *out, int outer, int middle, int inner, int exclusive, int reverse,
                     int thread, int threads, int *shared) {
  struct Team team = {thread, threads, shared};
  struct Area part = share_area(&team, outer, inner);
  switch (operation) {
    case RUNNING_SUM: cumulate_area(RUNNING_SUM, x, out, middle, inner, exclusive, reverse, part); break;
    case RUNNING_PRODUCT: cumulate_area(RUNNING_PRODUCT, x, out, middle, inner, exclusive, reverse, part); break;
    default: cumulate_area(RUNNING_INTEGER_SUM, x, out, middle, inner, exclusive, reverse, part);
  }
}
