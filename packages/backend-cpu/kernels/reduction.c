// Sums, products, extremes and their places over axes.
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

// Whether `value` takes the place of `best`: larger (smaller where `smallest`), or NaN.
INLINE int wins(int smallest, float value, float best) {
  return (smallest ? value < best : value > best) || value != value;
}
INLINE vec winners(int smallest, vec value, vec best) {
  return choose((ivec)(smallest ? value < best : value > best) | (ivec)(value != value), value, best);
}

// In columns as sums are. Of zeros of both signs the first, as by comparing one value after the other.
INLINE float chunk_extreme(int smallest, const float *x, int count) {
  float best = x[0];
  int j = 0;
  if (count >= sum_columns) {
    vec bests[sum_vectors];
    UNROLL_ALL
    for (int v = 0; v < sum_vectors; v++) bests[v] = load(x + v * W);
    for (j = sum_columns; j + sum_columns <= count; j += sum_columns) {
      UNROLL_ALL
      for (int v = 0; v < sum_vectors; v++) bests[v] = winners(smallest, load(x + j + v * W), bests[v]);
    }
    float columns[sum_columns];
    for (int v = 0; v < sum_vectors; v++) store(columns + v * W, bests[v]);
    for (int i = 0; i < sum_columns; i++) best = wins(smallest, columns[i], best) ? columns[i] : best;
  }
  for (; j < count; j++) best = wins(smallest, x[j], best) ? x[j] : best;
  for (int i = 0; best == 0.0f && i < count; i++)
    if (x[i] == 0.0f) return x[i];
  return best;
}
static __attribute__((noinline)) float extreme_of(int smallest, const float *x, int count) {
  return smallest ? chunk_extreme(1, x, count) : chunk_extreme(0, x, count);
}

// out[i] = max_j x[i, j], min_j where `smallest`; NaN where there is one. Shared, and with scratch, as by `sum_inner`.
EXPORT void extreme_inner(int smallest, const float *x, float *out, int rows, int columns, float *work, int thread, int threads,
                          int *shared) {
  struct Team team = {thread, threads, shared};
  int chunks = (columns + sum_chunk - 1) / sum_chunk, few = rows < threads;
  if (few) {
    struct Range part = share(&team, rows * chunks, 1);
    for (int i = part.first; i < part.last; i++) {
      int start = i % chunks * sum_chunk;
      const float *chunk = x + (usize)(i / chunks) * columns + start;
      work[i] = extreme_of(smallest, chunk, smaller(sum_chunk, columns - start));
    }
    meet(&team);
  }
  struct Range part = share(&team, rows, 1);
  for (int i = part.first; i < part.last; i++) {
    float best = 0.0f;
    for (int c = 0; c < chunks; c++) {
      int start = c * sum_chunk;
      const float *chunk = x + (usize)i * columns + start;
      float value = few ? work[i * chunks + c] : extreme_of(smallest, chunk, smaller(sum_chunk, columns - start));
      if (c == 0 || wins(smallest, value, best)) best = value;
    }
    out[i] = best;
  }
}

// out[outer, inner] = max_j x[outer, j, inner], min_j where `smallest`.
EXPORT void extreme_middle(int smallest, const float *x, float *out, int outer, int middle, int inner, int thread, int threads,
                           int *shared) {
  struct Team team = {thread, threads, shared};
  struct Area part = share_area(&team, outer, inner);
  for (int i = part.rows.first; i < part.rows.last; i++) {
    float *row = out + (usize)i * inner;
    const float *source = x + (usize)i * middle * inner;
    copy_floats(row + part.columns.first, source + part.columns.first, part.columns.last - part.columns.first);
    for (int k = 1; k < middle; k++) {
      source += inner;
      for (int j = part.columns.first; j < part.columns.last; j += W) {
        int lanes = smaller(W, part.columns.last - j);
        vec value = load_lanes(source + j, lanes), best = load_lanes(row + j, lanes);
        store_lanes(row + j, smallest ? winners(1, value, best) : winners(0, value, best), lanes);
      }
    }
  }
}

// out[outer, inner] = Π_j x[outer, j, inner], in double precision, one factor after the other.
EXPORT void product(const float *x, float *out, int outer, int middle, int inner, int thread, int threads, int *shared) {
  struct Team team = {thread, threads, shared};
  struct Area part = share_area(&team, outer, inner);
  for (int i = part.rows.first; i < part.rows.last; i++) {
    const float *source = x + (usize)i * middle * inner;
    for (int j = part.columns.first; j < part.columns.last; j += 16) {
      int lanes = smaller(16, part.columns.last - j);
      double totals[16];
      for (int l = 0; l < lanes; l++) totals[l] = 1.0;
      for (int k = 0; k < middle; k++)
        for (int l = 0; l < lanes; l++) totals[l] *= (double)source[(usize)k * inner + j + l];
      for (int l = 0; l < lanes; l++) out[(usize)i * inner + j + l] = (float)totals[l];
    }
  }
}

// The first place of the largest of `count` values, of the smallest where `smallest`. NaN is neither, and 0 if it comes first.
INLINE int place_of(int smallest, const float *x, int count) {
  float best = x[0];
  int place = 0, j = 0;
  if (count >= sum_columns) {
    vec bests[sum_vectors];
    ivec places[sum_vectors];
    UNROLL_ALL
    for (int v = 0; v < sum_vectors; v++) bests[v] = splat(best), places[v] = (ivec){0};
    for (; j + sum_columns <= count; j += sum_columns) {
      UNROLL_ALL
      for (int v = 0; v < sum_vectors; v++) {
        vec value = load(x + j + v * W);
        ivec better = (ivec)(smallest ? value < bests[v] : value > bests[v]);
        bests[v] = choose(better, value, bests[v]);
        places[v] = (better & ((ivec){LANES} + (j + v * W))) | (~better & places[v]);
      }
    }
    for (int v = 0; v < sum_vectors; v++) {
      for (int l = 0; l < W; l++) {
        float value = bests[v][l];
        int better = smallest ? value < best : value > best;
        if (!better && !(value == best && places[v][l] < place)) continue;
        best = value;
        place = places[v][l];
      }
    }
  }
  for (; j < count; j++) {
    if (!(smallest ? x[j] < best : x[j] > best)) continue;
    best = x[j];
    place = j;
  }
  return place;
}

// out[outer, inner] = argmax_j x[outer, j, inner], argmin_j where `smallest`; the first of equals.
EXPORT void arg_extreme(int smallest, const float *x, int *out, int outer, int middle, int inner, int thread, int threads,
                        int *shared) {
  struct Team team = {thread, threads, shared};
  struct Area part = share_area(&team, outer, inner);
  for (int i = part.rows.first; i < part.rows.last; i++) {
    const float *source = x + (usize)i * middle * inner;
    if (inner == 1) {
      if (part.columns.last > part.columns.first) out[i] = smallest ? place_of(1, source, middle) : place_of(0, source, middle);
      continue;
    }
    for (int j = part.columns.first; j < part.columns.last; j += W) {
      int lanes = smaller(W, part.columns.last - j);
      vec best = load_lanes(source + j, lanes);
      ivec places = {0};
      for (int k = 1; k < middle; k++) {
        vec value = load_lanes(source + (usize)k * inner + j, lanes);
        ivec better = smallest ? (ivec)(value < best) : (ivec)(value > best);
        best = choose(better, value, best);
        places = (better & (places - places + k)) | (~better & places);
      }
      store_lanes((float *)(out + (usize)i * inner + j), (vec)places, lanes);
    }
  }
}
