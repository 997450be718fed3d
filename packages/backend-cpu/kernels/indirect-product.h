// Products of filters with pixels that are read through a table of their addresses.
#ifndef OSTINATO_INDIRECT_PRODUCT_H
#define OSTINATO_INDIRECT_PRODUCT_H

#include "tile.h"

// Pixels whose addresses are looked up at once: whole groups of TILE_ROWS, which share the panels of the filter in the cache.
enum { pixel_block = 48 };

// One tile: `rows` pixels × `vectors` vectors of output channels, summed up over taps of `depth` channels. `at` holds, tap by tap, the
// addresses of the pixels; `panel` the panel of the filter, in which tap t begins at row taps[t]·depth.
INLINE void indirect_tile(int rows, int vectors, const float *const *at, const int *taps, int count, int depth,
                          const float *panel, float *const *out, int column, int columns) {
  vec sums[TILE_ROWS][TILE_VECTORS];
  for (int i = 0; i < rows; i++)
    for (int v = 0; v < TILE_VECTORS; v++) sums[i][v] = splat(0.0f);
  for (int t = 0; t < count; t++, at += rows) {
    const float *a[TILE_ROWS], *b = panel + (usize)taps[t] * depth * TILE_COLUMNS;
    for (int i = 0; i < rows; i++) a[i] = at[i];
    UNROLL_NEVER
    for (int k = 0; k < depth; k++, b += TILE_COLUMNS) {
      vec x[TILE_VECTORS];
      for (int v = 0; v < vectors; v++) x[v] = load(b + v * W);
      for (int i = 0; i < rows; i++) {
        vec s = load_splat(a[i] + k);
        for (int v = 0; v < vectors; v++) sums[i][v] = multiply_add(s, x[v], sums[i][v]);
        PIN(sums[i]);
      }
    }
  }
  UNROLL_ALL  // or the sums would live in memory
  for (int i = 0; i < rows; i++) finish_row(out[i] + column, sums[i], columns, 0);
}

// As few vectors as hold the columns of a last panel.
#if TILE_VECTORS > 2
#define FOR_VECTORS(vectors, CALL)           \
  if (vectors <= 1) { CALL(1) }              \
  else if (vectors == 2) { CALL(2) }         \
  else { CALL(TILE_VECTORS) }
#else
#define FOR_VECTORS(vectors, CALL) \
  if (vectors <= 1) { CALL(1) }    \
  else { CALL(TILE_VECTORS) }
#endif

// The pixels of a block: addresses group by group, tap by tap, and where the sums of each go.
struct PixelBlock {
  const float **at;
  float *out[pixel_block];
  int pixels;
};

// All columns of the pixels of one block. `panels` holds filters of `all` taps, of which `count` take part.
static void indirect_block(const struct PixelBlock *block, const int *taps, int count, int all, int depth, const float *panels,
                           int n) {
  struct Groups groups = groups_of(block->pixels, TILE_ROWS);
  for (int j = 0; j < n; j += TILE_COLUMNS) {
    const float *panel = panels + (usize)j * all * depth, *const *at = block->at;
    float *const *out = block->out;
    int columns = smaller(TILE_COLUMNS, n - j), vectors = (columns + W - 1) / W;
    for (int g = 0; g < groups.count; g++) {
      int height = group_height(groups, g);
#define CALL_TILE(rows) indirect_tile(rows, WIDTH, at, taps, count, depth, panel, out, j, columns)
#define CALL_VECTORS(width) { enum { WIDTH = width }; FOR_HEIGHT(height, CALL_TILE) }
      FOR_VECTORS(vectors, CALL_VECTORS)
#undef CALL_VECTORS
#undef CALL_TILE
      at += height * count;
      out += height;
    }
  }
}

// Few columns leave most lanes of a tile idle. There the lanes are channels of the sum: `dot_columns` partial sums, whatever the width
// of a vector, of several pixels at a time.
enum { dot_columns = 16, dot_vectors = dot_columns / W, dot_filters = 3, few_columns = 4 };
#if W == 16
enum { dot_pixels = TILE_ROWS };
#elif defined(__wasm__)
enum { dot_pixels = 1 };
#else
enum { dot_pixels = 2 };
#endif

INLINE void add_dots(int rows, int filters, int lanes, const float *const *at, const float *b, int depth, int k, int v,
                     vec sums[dot_pixels][dot_filters][dot_vectors]) {
  vec x[dot_filters];
  for (int j = 0; j < filters; j++) x[j] = load_lanes(b + (usize)j * depth + k, lanes);
  for (int i = 0; i < rows; i++) {
    vec s = load_lanes(at[i] + k, lanes);
    for (int j = 0; j < filters; j++) sums[i][j][v] = multiply_add(s, x[j], sums[i][j][v]);
  }
}

// As `indirect_tile`, of `filters` columns; `filter` [tap, n, depth] as it lies. A group of the table has `height` pixels.
INLINE void indirect_dots(int rows, int filters, const float *const *at, int height, const int *taps, int count, int depth,
                          const float *filter, int n, float *const *out) {
  vec sums[dot_pixels][dot_filters][dot_vectors];
  for (int i = 0; i < rows; i++)
    for (int j = 0; j < filters; j++)
      for (int v = 0; v < dot_vectors; v++) sums[i][j][v] = splat(0.0f);
  for (int t = 0; t < count; t++, at += height) {
    const float *b = filter + (usize)taps[t] * n * depth;
    int k = 0;
    for (; k + dot_columns <= depth; k += dot_columns)
      for (int v = 0; v < dot_vectors; v++) add_dots(rows, filters, W, at, b, depth, k + v * W, v, sums);
    for (int v = 0; v < dot_vectors; v++)
      if (k + v * W < depth) add_dots(rows, filters, smaller(W, depth - k - v * W), at, b, depth, k + v * W, v, sums);
  }
  for (int i = 0; i < rows; i++)
    for (int j = 0; j < filters; j++) {
      vec *parts = sums[i][j];
      for (int half = dot_vectors / 2; half > 0; half /= 2)
        for (int v = 0; v < half; v++) parts[v] += parts[v + half];
      out[i][j] = sum_lanes(parts[0]);
    }
}

static void dot_block(struct PixelBlock *block, const int *taps, int count, int depth, const float *filter, int n) {
  struct Groups groups = groups_of(block->pixels, TILE_ROWS);
  const float *const *at = block->at;
  float **out = block->out;
  for (int g = 0; g < groups.count; g++) {
    int height = group_height(groups, g);
    for (int j = 0; j < n;) {
      int filters = n - j >= dot_filters ? dot_filters : 1;
      const float *column = filter + (usize)j * depth;
      for (int i = 0; i < height;) {
        int rows = height - i >= dot_pixels ? dot_pixels : 1;
#define CALL_DOTS(rows, filters) indirect_dots(rows, filters, at + i, height, taps, count, depth, column, n, out + i)
        if (rows == 1 && filters == 1) CALL_DOTS(1, 1);
        else if (rows == 1) CALL_DOTS(1, dot_filters);
        else if (filters == 1) CALL_DOTS(dot_pixels, 1);
        else CALL_DOTS(dot_pixels, dot_filters);
#undef CALL_DOTS
        i += rows;
      }
      for (int i = 0; i < height; i++) out[i] += filters;
      j += filters;
    }
    at += height * count;
    out += height;
  }
}

#endif
