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
