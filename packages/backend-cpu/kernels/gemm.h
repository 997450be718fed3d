#ifndef OSTINATO_GEMM_H
#define OSTINATO_GEMM_H

#include "team.h"

// Scratch of any product, in floats: of one thread.
usize product_work(void);

// This thread's share of C[m, n] = A[m, k]·B[k, n], plus what C holds when `accumulate`. A and B are read through a stride between rows and one
// between columns (in floats), which covers every transposition; rows of C are `c_stride` floats apart.
void multiply(const struct Team *team, const float *a, int a_row, int a_column, const float *b, int b_row, int b_column,
              float *c, int c_stride, int m, int k, int n, int accumulate, float *work);

// The columns of a product, or the units of a layer, that are this thread's: whole panels of packed weights.
struct Range share_columns(const struct Team *team, int n);

// Both factors of a product packed by the caller, who uses each in several products of a few hundred rows and columns at most.
// A left factor [m, k] takes m·k floats, a right one [k, n] `packed_right_size`.
usize packed_right_size(int k, int n);
void pack_left_factor(const float *a, int a_row, int a_column, float *packed, int m, int k);
void pack_right_factor(const float *b, int b_row, int b_column, float *packed, int k, int n);
void multiply_packed(const float *a, const float *b, float *c, int c_stride, int m, int k, int n, int accumulate);

// Weights [k, n] that multiply many small batches of rows, one after the other: packed once when they are used more than
// `few_uses` times, else read where they lie.
struct Weights {
  const float *source;
  float *packed;
  int row, column, k, n;
};
enum { few_uses = 2 };

// Floats that `prepare_weights` needs as `space`, for so many products. Each thread prepares its share of the columns, which
// are all that it needs for `multiply_rows`.
usize weights_space(int k, int n, int uses);
struct Weights prepare_weights(const struct Team *team, const float *source, int row, int column, int k, int n, int uses,
                               float *space);

// This thread's share of the columns of C[m, n] = rows·weights, where `rows[i]` points to row i of the left factor.
usize multiply_rows_work(int m, int k);
void multiply_rows(const struct Team *team, const float *const *rows, const struct Weights *weights, float *c, int c_stride,
                   int m, float *work);

#endif
