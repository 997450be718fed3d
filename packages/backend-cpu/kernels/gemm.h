#ifndef OSTINATO_GEMM_H
#define OSTINATO_GEMM_H

#include "vector.h"

// Scratch of any product, in floats.
EXPORT usize gemm_work(void);

// C[m, n] = A[m, k]·B[k, n], plus what C holds when `accumulate`. A and B are read through a stride between rows and one
// between columns (in floats), which covers every transposition; rows of C are `c_stride` floats apart.
EXPORT void gemm(const float *a, int a_row, int a_column, const float *b, int b_row, int b_column, float *c, int c_stride,
                 int m, int k, int n, int accumulate, float *work);

// Weights [k, n] that multiply many small batches of rows, one after the other: packed once when they are used more than
// `few_uses` times, else read where they lie.
struct Weights {
  const float *source;
  float *packed;
  int row, column, k, n;
};
enum { few_uses = 2 };

// Floats that `prepare_weights` needs as `space`, for so many products.
usize weights_space(int k, int n, int uses);
struct Weights prepare_weights(const float *source, int row, int column, int k, int n, int uses, float *space);

// C[m, n] = rows·weights, where `rows[i]` points to row i of the left factor.
usize multiply_rows_work(int m, int k);
void multiply_rows(const float *const *rows, const struct Weights *weights, float *c, int c_stride, int m, float *work);

#endif
