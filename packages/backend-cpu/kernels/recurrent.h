// What the three recurrences share: which rows of the batch run at a step, and the matrix products around the loop.
//
// Rows without padding are *compact*: row b of the batch owns the compact rows first[b] … first[b] + length(b) − 1, in the
// order of time. Products over all steps (x·Wx, the weight gradients) run over compact rows only, so padding costs nothing
// and nothing flows through it. Without `lengths`, compact and dense are the same.
#ifndef OSTINATO_RECURRENT_H
#define OSTINATO_RECURRENT_H

#include "gemm.h"

struct Sequence {
  struct Team team;
  int batch, time, reverse;
  const int *lengths;  // 0 when every row has `time` steps
  int *first;          // compact row of each batch row's time 0
  int *active;         // batch rows that run at the current step
  const float **rows;  // pointers for `multiply_rows`
  int longest, valid;  // longest row; number of compact rows
};

INLINE int row_length(const struct Sequence *s, int b) { return s->lengths ? s->lengths[b] : s->time; }

INLINE void sequence_begin(const struct Team *team, struct Sequence *s, float **cursor, const int *lengths, int batch, int time,
                           int reverse) {
  s->team = *team;
  s->batch = batch;
  s->time = time;
  s->reverse = reverse;
  s->lengths = lengths;
  s->first = (int *)take_own(team, cursor, batch);
  s->active = (int *)take_own(team, cursor, batch);
  s->rows = (const float **)take_own(team, cursor, (usize)batch * sizeof(float *) / sizeof(float));
}

INLINE void sequence_measure(struct Sequence *s) {
  s->longest = s->valid = 0;
  for (int b = 0; b < s->batch; b++) {
    int length = row_length(s, b);
    s->first[b] = s->valid;
    s->valid += length;
    s->longest = larger(s->longest, length);
  }
}

// Time index that row b reads at `step`: forwards, or from its last valid one down to 0.
INLINE int time_at(const struct Sequence *s, int b, int step) { return s->reverse ? row_length(s, b) - 1 - step : step; }
INLINE int compact_row(const struct Sequence *s, int b, int step) { return s->first[b] + time_at(s, b, step); }
INLINE int dense_row(const struct Sequence *s, int b, int step) { return b * s->time + time_at(s, b, step); }

// Fills `active` for one step and returns how many rows run.
INLINE int activate(struct Sequence *s, int step) {
  int count = 0;
  for (int b = 0; b < s->batch; b++)
    if (step < row_length(s, b)) s->active[count++] = b;
  return count;
}

// Rows [B, T, width] without padding, copied into `compact` if there is any. Of this and of what follows, each thread does
// its share of the batch or of the columns.
INLINE const float *gather_valid(const struct Sequence *s, const float *dense, float *compact, int width) {
  if (!s->lengths) return dense;
  struct Range rows = share(&s->team, s->batch, 1);
  for (int b = rows.first; b < rows.last; b++)
    copy_floats(compact + s->first[b] * width, dense + b * s->time * width, (usize)row_length(s, b) * width);
  return compact;
}

// The way back: compact rows to [B, T, width], zeros in the padding.
INLINE void scatter_valid(const struct Sequence *s, const float *compact, float *dense, int width) {
  struct Range rows = share(&s->team, s->batch, 1);
  for (int b = rows.first; b < rows.last; b++) {
    usize used = (usize)row_length(s, b) * width;
    float *row = dense + b * s->time * width;
    copy_floats(row, compact + s->first[b] * width, used);
    zero_floats(row + used, (usize)s->time * width - used);
  }
}

INLINE void zero_padding(const struct Sequence *s, float *dense, int width) {
  if (!s->lengths) return;
  struct Range rows = share(&s->team, s->batch, 1);
  for (int b = rows.first; b < rows.last; b++) {
    usize used = (usize)row_length(s, b) * width;
    zero_floats(dense + b * s->time * width + used, (usize)s->time * width - used);
  }
}

// The hidden state before each step, compact: the output one step earlier, or the initial state.
INLINE void previous_hidden(const struct Sequence *s, const float *output, const float *initial, float *compact, int width) {
  struct Range rows = share(&s->team, s->batch, 1);
  for (int b = rows.first; b < rows.last; b++) {
    int length = row_length(s, b);
    if (length == 0) continue;
    float *before = compact + s->first[b] * width;
    const float *outputs = output + b * s->time * width;
    usize others = (usize)(length - 1) * width;
    copy_floats(before + (s->reverse ? others : 0), initial + b * width, width);
    copy_floats(before + (s->reverse ? 0 : width), outputs + (s->reverse ? width : 0), others);
  }
}

// out[valid, width] = x·weight + bias, for all steps at once. The others' shares are there after the next meeting.
INLINE void project_input(const struct Sequence *s, const float *x, int inputs, const float *weight, const float *bias,
                          float *out, int width, float *work) {
  if (bias) {
    struct Range rows = share(&s->team, s->valid, 1);
    for (int i = rows.first; i < rows.last; i++) copy_floats(out + i * width, bias, width);
  }
  meet(&s->team);
  multiply(&s->team, x, inputs, 1, weight, width, 1, out, width, s->valid, inputs, width, bias != 0, work);
}

// sums[width] = Σ over rows of values[rows, width]; this thread's columns of it.
INLINE void sum_rows(const struct Team *team, const float *values, int rows, int width, float *sums) {
  struct Range columns = share(team, width, 4 * W);
  zero_floats(sums + columns.first, columns.last - columns.first);
  for (int i = 0; i < rows; i++, values += width) {
    int j = columns.first;
    for (; j + W <= columns.last; j += W) store(sums + j, load(sums + j) + load(values + j));
    for (; j < columns.last; j++) sums[j] += values[j];
  }
}

// Gradients of x·weight + bias from d[valid, width]: dX dense with zeros in the padding, dWeight, dBias (may be 0).
// `compact` holds valid·inputs floats when there are lengths.
INLINE void project_input_gradient(const struct Sequence *s, const float *x, int inputs, const float *weight,
                                   const float *d, int width, float *d_x, float *d_weight, float *d_bias, float *compact,
                                   float *work) {
  multiply(&s->team, x, 1, inputs, d, width, 1, d_weight, width, inputs, s->valid, width, 0, work);
  if (d_bias) sum_rows(&s->team, d, s->valid, width, d_bias);
  if (!s->lengths) {
    multiply(&s->team, d, width, 1, weight, 1, width, d_x, inputs, s->valid, width, inputs, 0, work);
    return;
  }
  meet(&s->team);  // x is no longer needed, so its compact copy can take dX
  multiply(&s->team, d, width, 1, weight, 1, width, compact, inputs, s->valid, width, inputs, 0, work);
  meet(&s->team);
  scatter_valid(s, compact, d_x, inputs);
}

INLINE void add_into(float *sum, const float *a, const float *b, int width) {
  int j = 0;
  for (; j + W <= width; j += W) store(sum + j, load(a + j) + load(b + j));
  for (; j < width; j++) sum[j] = a[j] + b[j];
}

#endif
