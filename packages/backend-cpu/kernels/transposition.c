// Transposition.
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

// Transposition that leaves the last axis in place: `rows` rows of `width` floats in the order of the output. `plan` holds,
// for each of `rank` outer axes of the output, its size and the distance (in rows) of its steps in x.
EXPORT void permute(const float *x, float *out, const int *plan, int rank, int rows, int width, int thread, int threads,
                    int *shared) {
  struct Team team = {thread, threads, shared};
  struct Range part = share(&team, rows, 1);
  int index[8] = {0}, position = 0;
  for (int axis = rank - 1, rest = part.first; axis >= 0; axis--) {
    index[axis] = rest % plan[2 * axis];
    rest /= plan[2 * axis];
    position += index[axis] * plan[2 * axis + 1];
  }
  for (int row = part.first; row < part.last; row++) {
    copy_floats(out + (usize)row * width, x + (usize)position * width, width);
    for (int axis = rank - 1; axis >= 0; axis--) {
      position += plan[2 * axis + 1];
      if (++index[axis] < plan[2 * axis]) break;
      position -= plan[2 * axis] * plan[2 * axis + 1];
      index[axis] = 0;
    }
  }
}
