// Sums over axes.
#include "team.h"

// A chunk is summed in 32 columns of partial sums, whatever the width of a vector, and these by halves: every machine and any
// number of threads gives the same bits.
enum { sum_columns = 32, sum_chunk = 4096, sum_vectors = sum_columns / W };

INLINE float chunk_sum(const float *x, int count) {
  vec sums[sum_vectors];
  UNROLL_ALL
  for (int v = 0; v < sum_vectors; v++) sums[v] = splat(0.0f);
  int j = 0;
  for (; j + sum_columns <= count; j += sum_columns) {
    UNROLL_ALL
    for (int v = 0; v < sum_vectors; v++) sums[v] += load(x + j + v * W);
  }
  float columns[sum_columns];
  for (int v = 0; v < sum_vectors; v++) store(columns + v * W, sums[v]);
  for (int i = 0; j + i < count; i++) columns[i] += x[j + i];
  for (int half = sum_columns / 2; half > 0; half /= 2)
    for (int i = 0; i < half; i++) columns[i] += columns[i + half];
  return columns[0];
}

// Floats of scratch memory that `sum_inner` needs.
EXPORT int sum_inner_work(int rows, int columns, int threads) {
  return threads == 1 || rows >= threads ? 0 : rows * ((columns + sum_chunk - 1) / sum_chunk);
}

// out[i] = Σ_j x[i, j], chunks in double precision. Threads share rows, or, where there are few, chunks.
EXPORT void sum_inner(const float *x, float *out, int rows, int columns, float *work, int thread, int threads, int *shared) {
  struct Team team = {thread, threads, shared};
  int chunks = (columns + sum_chunk - 1) / sum_chunk, few = rows < threads;
  if (few) {
    struct Range part = share(&team, rows * chunks, 1);
    for (int i = part.first; i < part.last; i++) {
      int start = i % chunks * sum_chunk;
      work[i] = chunk_sum(x + (usize)(i / chunks) * columns + start, smaller(sum_chunk, columns - start));
    }
    meet(&team);
  }
  struct Range part = share(&team, rows, 1);
  for (int i = part.first; i < part.last; i++) {
    double total = 0.0;
    for (int c = 0; c < chunks; c++) {
      int start = c * sum_chunk;
      total += few ? work[i * chunks + c] : chunk_sum(x + (usize)i * columns + start, smaller(sum_chunk, columns - start));
    }
    out[i] = (float)total;
  }
}

// out[outer, inner] = Σ_j x[outer, j, inner].
EXPORT void sum_middle(const float *x, float *out, int outer, int middle, int inner, int thread, int threads, int *shared) {
  struct Team team = {thread, threads, shared};
  int by_outer = outer >= threads;
  struct Range rows = by_outer ? share(&team, outer, 1) : (struct Range){0, outer};
  struct Range columns = by_outer ? (struct Range){0, inner} : share(&team, inner, 16);
  for (int i = rows.first; i < rows.last; i++) {
    float *row = out + (usize)i * inner;
    zero_floats(row + columns.first, columns.last - columns.first);
    for (int k = 0; k < middle; k++) {
      const float *source = x + ((usize)i * middle + k) * inner;
      for (int j = columns.first; j < columns.last; j += W) {
        int lanes = smaller(W, columns.last - j);
        store_lanes(row + j, load_lanes(row + j, lanes) + load_lanes(source + j, lanes), lanes);
      }
    }
  }
}
