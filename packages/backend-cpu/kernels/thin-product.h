// Products with a factor of few rows or columns (one step of generation: [1, k]·[k, n]). Packing the other factor would cost more
// than it saves: it is read where it lies, once if there is but one group of rows, and from the cache by further groups.
#ifndef OSTINATO_THIN_PRODUCT_H
#define OSTINATO_THIN_PRODUCT_H

#include "groups.h"

// The most rows of the left factor or, transposed, columns of the right one.
#define THIN 16
// Rows that are multiplied at once: their factors fit the registers.
#if W == 16 || defined(__aarch64__)
#define THIN_GROUP 6
#else
#define THIN_GROUP 3
#endif
#define THIN_DEPTH 4
#define THIN_COLUMNS 4096
// The part of B that stays in the first-level cache while the groups pass over it.
#define THIN_BLOCK_DEPTH 16
#define THIN_BLOCK_COLUMNS 512
#define THIN_BLOCK_DOTS 8

#if THIN_GROUP == 3
#define FOR_THIN_HEIGHT(height, CALL) \
  if (height == 3) CALL(3);           \
  else if (height == 2) CALL(2);      \
  else CALL(1);
#else
#define FOR_THIN_HEIGHT FOR_HEIGHT
#endif

// C[rows, n] (+)= a·B for B in row-major order: four rows of B at a time are added to C, which stays in cache.
INLINE void multiply_thin_rows(int rows, const float *a, int a_row, int a_column, const float *b, int b_row, float *c,
                               int c_stride, int k, int n, int accumulate) {
  if (!accumulate)
    for (int i = 0; i < rows; i++) zero_floats(c + i * c_stride, n);
  int p = 0;
  for (; p + THIN_DEPTH <= k; p += THIN_DEPTH, b += THIN_DEPTH * b_row) {
    vec factors[THIN_GROUP][THIN_DEPTH];
    for (int i = 0; i < rows; i++)
      for (int d = 0; d < THIN_DEPTH; d++) factors[i][d] = load_splat(a + i * a_row + (p + d) * a_column);
    int j = 0;
    for (; j + W <= n; j += W) {
      vec x[THIN_DEPTH];
      for (int d = 0; d < THIN_DEPTH; d++) x[d] = load(b + d * b_row + j);
      for (int i = 0; i < rows; i++) {
        vec sum = load(c + i * c_stride + j);
        for (int d = 0; d < THIN_DEPTH; d++) sum = multiply_add(factors[i][d], x[d], sum);
        store(c + i * c_stride + j, sum);
      }
    }
    for (; j < n; j++)
      for (int i = 0; i < rows; i++)
        for (int d = 0; d < THIN_DEPTH; d++) c[i * c_stride + j] += factors[i][d][0] * b[d * b_row + j];
  }
  for (; p < k; p++, b += b_row)
    for (int i = 0; i < rows; i++) {
      float factor = a[i * a_row + p * a_column];
      for (int j = 0; j < n; j++) c[i * c_stride + j] += factor * b[j];
    }
}

// C[rows, n] (+)= a·B for B in column-major order and `a` with contiguous rows: dot products, four columns of B at a time.
INLINE void multiply_thin_dots(int rows, const float *a, int a_row, const float *b, int b_column, float *c, int c_stride,
                               int k, int n, int accumulate) {
  for (int j = 0; j < n; j += 4) {
    int columns = smaller(4, n - j);
    const float *column[4];
    for (int d = 0; d < 4; d++) column[d] = b + (j + smaller(d, columns - 1)) * b_column;
    vec sums[THIN_GROUP][4];
    for (int i = 0; i < rows; i++)
      for (int d = 0; d < 4; d++) sums[i][d] = splat(0.0f);
    for (int p = 0; p < k; p += W) {
      int lanes = smaller(W, k - p);
      for (int d = 0; d < 4; d++) {
        vec x = load_lanes(column[d] + p, lanes);
        for (int i = 0; i < rows; i++) sums[i][d] = multiply_add(load_lanes(a + i * a_row + p, lanes), x, sums[i][d]);
      }
    }
    for (int i = 0; i < rows; i++)
      for (int d = 0; d < columns; d++) {
        float *target = c + i * c_stride + j + d, sum = sum_lanes(sums[i][d]);
        *target = accumulate ? *target + sum : sum;
      }
  }
}

// Whether a product of `m` rows goes the thin way: B must have unit stride one way or the other.
INLINE int is_thin(int m, int a_column, int b_row, int b_column) {
  return m <= THIN && (b_column == 1 || (b_row == 1 && a_column == 1));
}

static void multiply_thin_group(const float *a, int a_row, int a_column, const float *b, int b_row, int b_column, float *c,
                                int c_stride, int m, int k, int n, int accumulate) {
#define CALL_ROWS(rows) multiply_thin_rows(rows, a, a_row, a_column, b, b_row, c, c_stride, k, n, accumulate)
#define CALL_DOTS(rows) multiply_thin_dots(rows, a, a_row, b, b_column, c, c_stride, k, n, accumulate)
  if (b_column == 1) {
    FOR_THIN_HEIGHT(m, CALL_ROWS)
  } else {
    FOR_THIN_HEIGHT(m, CALL_DOTS)
  }
#undef CALL_ROWS
#undef CALL_DOTS
}

static void multiply_thin(const float *a, int a_row, int a_column, const float *b, int b_row, int b_column, float *c,
                         int c_stride, int m, int k, int n, int accumulate) {
  struct Groups groups = groups_of(m, THIN_GROUP);
  int block_columns = n, block_depth = larger(k, 1);
  if (groups.count > 1) {
    block_columns = b_column == 1 ? THIN_BLOCK_COLUMNS : THIN_BLOCK_DOTS;
    if (b_column == 1) block_depth = THIN_BLOCK_DEPTH;
  }
  for (int n0 = 0; n0 < n; n0 += block_columns)
    for (int k0 = 0; k0 < larger(k, 1); k0 += block_depth)
      for (int g = 0, m0 = 0; g < groups.count; m0 += group_height(groups, g++))
        multiply_thin_group(a + m0 * a_row + k0 * a_column, a_row, a_column, b + k0 * b_row + n0 * b_column, b_row, b_column,
                            c + m0 * c_stride + n0, c_stride, group_height(groups, g), smaller(block_depth, k - k0),
                            smaller(block_columns, n - n0), accumulate || k0 > 0);
}

// Cᵀ = Bᵀ·Aᵀ for few columns n, through a scratch copy of Cᵀ.
static void multiply_thin_columns(const float *a, int a_row, int a_column, const float *b, int b_row, int b_column, float *c,
                                  int c_stride, int m, int k, int n, int accumulate, float *work) {
  for (int first = 0; first < m; first += THIN_COLUMNS) {
    int rows = smaller(THIN_COLUMNS, m - first);
    multiply_thin(b, b_column, b_row, a + first * a_row, a_column, a_row, work, rows, n, k, rows, 0);
    for (int i = 0; i < rows; i++)
      for (int j = 0; j < n; j++) {
        float *target = c + (first + i) * c_stride + j, value = work[j * rows + i];
        *target = accumulate ? *target + value : value;
      }
  }
}

#endif
