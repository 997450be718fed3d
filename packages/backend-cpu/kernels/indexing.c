// Slices of an array by integer indices. The caller has checked the indices.
#include "team.h"

// out[batch, outer, i, inner] = x[batch, outer, indices[batch, i], inner], words of 4 bytes: x [batch, outer, size, inner],
// indices [batch, count]. Threads share slices.
EXPORT void gather_slices(const float *x, const int *indices, float *out, int batch, int outer, int size, int count, int inner,
                          int thread, int threads, int *shared) {
  struct Team team = {thread, threads, shared};
  struct Range part = share(&team, batch * outer * count, 1);
  for (int i = part.first; i < part.last; i++) {
    int block = i / count, index = indices[(usize)(block / outer) * count + i % count];
    const float *from = x + ((usize)block * size + index) * inner;
    if (inner == 1) copy_floats(out + i, from, 1);
    else copy_floats(out + (usize)i * inner, from, inner);
  }
}

// out[i, c] = `on` where c = indices[i], else `off`, words of 4 bytes. Threads share rows.
EXPORT void one_hot(const int *indices, int *out, int count, int depth, int on, int off, int thread, int threads, int *shared) {
  struct Team team = {thread, threads, shared};
  struct Range part = share(&team, count, 1);
  for (int i = part.first; i < part.last; i++) {
    int *row = out + (usize)i * depth;
    if (off == 0) __builtin_memset(row, 0, (usize)depth * sizeof(int));
    else
      for (int c = 0; c < depth; c++) row[c] = off;
    if ((unsigned)indices[i] < (unsigned)depth) row[indices[i]] = on;
  }
}

enum Scatter { ADD_FLOATS, ADD_INTEGERS, REPLACE };

INLINE vec scatter_lanes(int operation, vec old, vec update) {
  if (operation == REPLACE) return update;
  return operation == ADD_FLOATS ? old + update : (vec)((uvec)old + (uvec)update);
}

// out[indices[i], inner] ∘= updates[i, inner], one i after the other: out [size, inner]. The caller has checked the indices. Threads share
// columns, or the slices of `out` where these are narrow.
EXPORT void scatter_slices(int operation, const int *indices, const float *updates, float *out, int count, int size, int inner,
                           int thread, int threads, int *shared) {
  struct Team team = {thread, threads, shared};
  int narrow = inner < 16 * threads;
  struct Range slices = narrow ? share(&team, size, 1) : (struct Range){0, size};
  struct Range columns = narrow ? (struct Range){0, inner} : share(&team, inner, 16);
  for (int i = 0; i < count; i++) {
    if (indices[i] < slices.first || indices[i] >= slices.last) continue;
    const float *update = updates + (usize)i * inner;
    float *target = out + (usize)indices[i] * inner;
    for (int j = columns.first; j < columns.last; j += W) {
      int lanes = smaller(W, columns.last - j);
      store_lanes(target + j, scatter_lanes(operation, load_lanes(target + j, lanes), load_lanes(update + j, lanes)), lanes);
    }
  }
}
