// Transposition, and copies between any two layouts of 4-byte values.
#include "team.h"

// out[batch, columns, rows] = x[batch, rows, columns], in blocks that stay in the first-level cache.
EXPORT void transpose(const float *x, float *out, int batch, int rows, int columns, int thread, int threads, int *shared) {
  enum { block = 32 };
  struct Team team = {thread, threads, shared};
  int bands = (columns + block - 1) / block;
  struct Range part = share(&team, batch * bands, 1);
  for (int p = part.first; p < part.last; p++) {
    int j0 = p % bands * block, j1 = smaller(columns, j0 + block);
    const float *from = x + (usize)(p / bands) * rows * columns;
    float *to = out + (usize)(p / bands) * rows * columns;
    for (int i0 = 0; i0 < rows; i0 += block)
      for (int j = j0; j < j1; j++)
        for (int i = i0; i < smaller(rows, i0 + block); i++) to[(usize)j * rows + i] = from[(usize)i * columns + j];
  }
}

// to[i][j] = from[i][j] with strides of their own for both axes, in blocks that stay in the first-level cache. Words, not
// floats: nothing is computed.
INLINE void copy_plane(const int *from, int from_i, int from_j, int *to, int to_i, int to_j, int rows, int columns) {
  if (from_j == 1 && to_j == 1 && columns >= 8) {
    for (int i = 0; i < rows; i++) __builtin_memcpy(to + (usize)i * to_i, from + (long long)i * from_i, 4 * (usize)columns);
    return;
  }
  for (int j0 = 0; j0 < columns; j0 += 32)
    for (int i = 0; i < rows; i++)
      for (int j = j0; j < smaller(columns, j0 + 32); j++)
        to[(usize)i * to_i + (usize)j * to_j] = from[(long long)i * from_i + (long long)j * from_j];
}

// Copies an array of `rank` ≥ 2 axes. `plan` holds for each axis its size and the distance of its steps in x and in out; those
// in x may be 0 (repeated) or negative (reversed). Threads share bands of the last axis but one.
EXPORT void strided_copy(const int *x, int *out, const int *plan, int rank, int thread, int threads, int *shared) {
  enum { band = 32 };
  struct Team team = {thread, threads, shared};
  const int *inner = plan + 3 * (rank - 2), *last = inner + 3;
  int bands = (inner[0] + band - 1) / band, count = bands;
  for (int axis = 0; axis < rank - 2; axis++) count *= plan[3 * axis];
  struct Range part = share(&team, count, 1);
  for (int unit = part.first; unit < part.last; unit++) {
    int first = unit % bands * band;
    long long from = (long long)first * inner[1], to = (long long)first * inner[2];
    for (int axis = rank - 3, rest = unit / bands; axis >= 0; axis--) {
      int index = rest % plan[3 * axis];
      rest /= plan[3 * axis];
      from += (long long)index * plan[3 * axis + 1];
      to += (long long)index * plan[3 * axis + 2];
    }
    copy_plane(x + from, inner[1], last[1], out + to, inner[2], last[2], smaller(band, inner[0] - first), last[0]);
  }
}
