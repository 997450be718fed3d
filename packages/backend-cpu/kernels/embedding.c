// Embedding: rows of a table by integer ids, which the caller has checked, and the gradient of the table.
#include "team.h"

EXPORT void embedding_gather(const float *table, const int *ids, float *output, int rows, int width, int thread, int threads,
                             int *shared) {
  struct Team team = {thread, threads, shared};
  struct Range part = share(&team, rows, 1);
  for (int i = part.first; i < part.last; i++) copy_floats(output + (usize)i * width, table + (usize)ids[i] * width, width);
}

// dTable[v] = Σ dOutput[i] over the rows i with ids[i] = v, except for `padding` (−1: none). Ids that are no row of the table
// are left out. Threads share columns.
EXPORT void embedding_scatter(const int *ids, const float *d_output, float *d_table, int rows, int width, int vocabulary,
                              int padding, int thread, int threads, int *shared) {
  struct Team team = {thread, threads, shared};
  struct Range part = share(&team, width, 16);
  if (threads == 1) zero_floats(d_table, (usize)vocabulary * width);
  else
    for (int v = 0; v < vocabulary; v++) zero_floats(d_table + (usize)v * width + part.first, part.last - part.first);
  for (int i = 0; i < rows; i++) {
    if (ids[i] == padding || (unsigned)ids[i] >= (unsigned)vocabulary) continue;
    float *target = d_table + (usize)ids[i] * width;
    const float *source = d_output + (usize)i * width;
    for (int j = part.first; j < part.last; j += W) {
      int lanes = smaller(W, part.last - j);
      store_lanes(target + j, load_lanes(target + j, lanes) + load_lanes(source + j, lanes), lanes);
    }
  }
}
