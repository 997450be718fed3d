// Products with a factor of very few rows or columns (one step of generation: [1, k]·[k, n]). They are bound by reading the
// other factor, so it is read once, where it lies.
#ifndef OSTINATO_THIN_PRODUCT_H
#define OSTINATO_THIN_PRODUCT_H

#include "vector.h"

// The most rows of the left factor or, transposed, columns of the right one.
#define THIN 3
#define THIN_DEPTH 4
#define THIN_COLUMNS 4096

// C[rows, n] (+)= a·B for B in row-major order: four rows of B at a time are added to C, which stays in cache.
INLINE void multiply_thin_rows(int rows, const float *a, int a_row, int a_column, const float *b, int b_row, float *c,
                               int c_stride, int k, int n, int accumulate) {
  if (!accumulate)
    for (int i = 0; i < rows; i++) zero_floats(c + i * c_stride, n);
  int p = 0;
  for (; p + THIN_DEPTH <= k; p += THIN_DEPTH, b += THIN_DEPTH * b_row) {
    vec factors[THIN][THIN_DEPTH];
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
    vec sums[THIN][4];
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

static void multiply_thin(const float *a, int a_row, int a_column, const float *b, int b_row, int b_column, float *c,
                         int c_stride, int m, int k, int n, int accumulate) {
#define CALL_ROWS(rows) multiply_thin_rows(rows, a, a_row, a_column, b, b_row, c, c_stride, k, n, accumulate)
#define CALL_DOTS(rows) multiply_thin_dots(rows, a, a_row, b, b_column, c, c_stride, k, n, accumulate)
  if (b_column == 1) {
    if (m == 3) CALL_ROWS(3);
    else if (m == 2) CALL_ROWS(2);
    else CALL_ROWS(1);
  } else {
    if (m == 3) CALL_DOTS(3);
    else if (m == 2) CALL_DOTS(2);
    else CALL_DOTS(1);
  }
#undef CALL_ROWS
#undef CALL_DOTS
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
