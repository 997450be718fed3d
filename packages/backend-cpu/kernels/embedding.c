// Embedding: rows of a table by integer ids, and the gradient of the table. The caller has checked the ids.
#include "vector.h"

EXPORT void embedding_gather(const float *table, const int *ids, float *output, int rows, int width) {
  for (int i = 0; i < rows; i++) copy_floats(output + i * width, table + ids[i] * width, width);
}

// dTable[v] = Σ dOutput[i] over the rows i with ids[i] = v, except for `padding` (−1: none).
EXPORT void embedding_scatter(const int *ids, const float *d_output, float *d_table, int rows, int width, int vocabulary,
                              int padding) {
  zero_floats(d_table, (usize)vocabulary * width);
  for (int i = 0; i < rows; i++) {
    if (ids[i] == padding) continue;
    float *target = d_table + ids[i] * width;
    const float *source = d_output + i * width;
    int j = 0;
    for (; j + W <= width; j += W) store(target + j, load(target + j) + load(source + j));
    for (; j < width; j++) target[j] += source[j];
  }
}
