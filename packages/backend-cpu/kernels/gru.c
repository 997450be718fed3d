// Whole-sequence GRU (Cho et al. 2014, arXiv:1406.1078), forward and backward. Gates lie in the order r, z, n:
//   reset after  (cuDNN, PyTorch):  r, z = σ(x·W + b + h·U + c),  n = tanh(x·Wn + bn + r∘(h·Un + cn))
//   reset before (the paper):       r, z = σ(x·W + b + h·U),      n = tanh(x·Wn + bn + (r∘h)·Un)
//   h ← (1−z)∘n + z∘h
// What the backward pass needs, per row and step: r, z, n [3H], and [H] that is h·Un + cn (reset after) or r∘h (before).
#include "recurrent.h"
#include "vector-math.h"

struct GruForward {
  struct Sequence sequence;
  float *input, *weight, *candidate_weight, *products, *candidates, *work;
};

static usize gru_forward_layout(const struct Team *team, struct GruForward *f, float *base, const int *lengths, int batch,
                                int time, int inputs, int hidden, int reverse, int reset_after) {
  float *cursor = base;
  sequence_begin(team, &f->sequence, &cursor, lengths, batch, time, reverse);
  f->input = take(&cursor, lengths ? (usize)batch * time * inputs : 0);
  f->weight = take(&cursor, weights_space(hidden, reset_after ? 3 * hidden : 2 * hidden, time));
  f->candidate_weight = take(&cursor, reset_after ? 0 : weights_space(hidden, hidden, time));
  f->products = take(&cursor, (usize)batch * 3 * hidden);
  f->candidates = take(&cursor, reset_after ? 0 : (usize)batch * hidden);
  f->work = take_own(team, &cursor, multiply_rows_work(batch, hidden));
  return floats_between(base, cursor);
}

EXPORT usize gru_forward_work(int padded, int batch, int time, int inputs, int hidden, int reset_after, int threads) {
  struct GruForward f;
  struct Team team = {0, threads, 0};
  return gru_forward_layout(&team, &f, 0, (const int *)(usize)padded, batch, time, inputs, hidden, 0, reset_after);
}

INLINE vec add_optional(vec x, const float *bias, int j, int lanes) {
  return bias ? x + load_lanes(bias + j, lanes) : x;
}

// gates [valid, 3H] and extra [valid, H] are described above.
EXPORT void gru_forward(const float *input, const float *input_weight, const float *recurrent_weight, const float *bias,
                        const float *recurrent_bias, const float *initial_hidden, const int *lengths, float *output,
                        float *hidden_state, float *gates, float *extra, int batch, int time, int inputs, int hidden,
                        int reverse, int reset_after, float *scratch, int thread, int threads, int *shared) {
  struct Team team = {thread, threads, shared};
  struct GruForward f;
  struct Sequence *s = &f.sequence;
  int width = 3 * hidden;
  gru_forward_layout(&team, &f, scratch, lengths, batch, time, inputs, hidden, reverse, reset_after);
  sequence_measure(s);
  const float *x = gather_valid(s, input, f.input, inputs);
  project_input(s, x, inputs, input_weight, bias, gates, width, f.work);
  int product_width = reset_after ? width : 2 * hidden;
  struct Weights recurrent = prepare_weights(&team, recurrent_weight, width, 1, hidden, product_width, time, f.weight), candidate;
  if (!reset_after)
    candidate = prepare_weights(&team, recurrent_weight + 2 * hidden, width, 1, hidden, hidden, time, f.candidate_weight);
  struct Range units = share_columns(&team, hidden), rows = share(&team, batch, 1);
  copy_floats(hidden_state + rows.first * hidden, initial_hidden + rows.first * hidden,
              (usize)(rows.last - rows.first) * hidden);
  zero_padding(s, output, hidden);
  meet(&team);

  for (int step = 0; step < s->longest; step++) {
    int count = activate(s, step);
    for (int a = 0; a < count; a++) s->rows[a] = hidden_state + s->active[a] * hidden;
    multiply_rows(&team, s->rows, &recurrent, f.products, width, count, f.work);
    meet(&team);
    for (int a = 0; a < count; a++) {
      int b = s->active[a], row = compact_row(s, b, step);
      float *g = gates + row * width, *saved = extra + row * hidden;
      const float *products = f.products + a * width, *h = hidden_state + b * hidden;
      const float *c_z = recurrent_bias ? recurrent_bias + hidden : 0, *c_n = recurrent_bias ? c_z + hidden : 0;
      for (int j = units.first; j < units.last; j += W) {
        int lanes = smaller(W, units.last - j);
        vec u_r = add_optional(load_lanes(products + j, lanes), recurrent_bias, j, lanes);
        vec u_z = add_optional(load_lanes(products + hidden + j, lanes), c_z, j, lanes);
        vec r = vector_sigmoid(load_lanes(g + j, lanes) + u_r);
        store_lanes(g + j, r, lanes);
        store_lanes(g + hidden + j, vector_sigmoid(load_lanes(g + hidden + j, lanes) + u_z), lanes);
        vec kept = reset_after ? add_optional(load_lanes(products + 2 * hidden + j, lanes), c_n, j, lanes)
                               : r * load_lanes(h + j, lanes);
        store_lanes(saved + j, kept, lanes);
      }
      s->rows[a] = saved;
    }
    if (!reset_after) {
      meet(&team);
      multiply_rows(&team, s->rows, &candidate, f.candidates, hidden, count, f.work);
    }
    for (int a = 0; a < count; a++) {
      int b = s->active[a], row = compact_row(s, b, step);
      float *g = gates + row * width, *h = hidden_state + b * hidden;
      const float *saved = extra + row * hidden, *candidates = f.candidates + a * hidden;
      for (int j = units.first; j < units.last; j += W) {
        int lanes = smaller(W, units.last - j);
        vec recurrent = reset_after ? load_lanes(g + j, lanes) * load_lanes(saved + j, lanes) : load_lanes(candidates + j, lanes);
        vec n = vector_tanh(load_lanes(g + 2 * hidden + j, lanes) + recurrent), z = load_lanes(g + hidden + j, lanes);
        store_lanes(g + 2 * hidden + j, n, lanes);
        store_lanes(h + j, (splat(1.0f) - z) * n + z * load_lanes(h + j, lanes), lanes);
      }
      copy_floats(output + dense_row(s, b, step) * hidden + units.first, h + units.first, units.last - units.first);
    }
    meet(&team);
  }
}

struct GruBackward {
  struct Sequence sequence;
  float *input, *weight, *candidate_weight, *d_gates, *d_recurrent, *products, *candidates, *previous, *work;
};

static usize gru_backward_layout(const struct Team *team, struct GruBackward *f, float *base, const int *lengths, int batch,
                                 int time, int inputs, int hidden, int reverse, int reset_after) {
  float *cursor = base;
  usize steps = (usize)batch * time;
  sequence_begin(team, &f->sequence, &cursor, lengths, batch, time, reverse);
  f->input = take(&cursor, lengths ? steps * inputs : 0);
  f->weight = take(&cursor, weights_space(reset_after ? 3 * hidden : 2 * hidden, hidden, time));
  f->candidate_weight = take(&cursor, reset_after ? 0 : weights_space(hidden, hidden, time));
  f->d_gates = take(&cursor, steps * 3 * hidden);
  f->d_recurrent = take(&cursor, reset_after ? steps * 3 * hidden : 0);
  f->products = take(&cursor, (usize)batch * hidden);
  f->candidates = take(&cursor, reset_after ? 0 : (usize)batch * hidden);
  f->previous = take(&cursor, steps * hidden);
  f->work = take_own(team, &cursor, multiply_rows_work(batch, 3 * hidden));
  return floats_between(base, cursor);
}

EXPORT usize gru_backward_work(int padded, int batch, int time, int inputs, int hidden, int reset_after, int threads) {
  struct GruBackward f;
  struct Team team = {0, threads, 0};
  return gru_backward_layout(&team, &f, 0, (const int *)(usize)padded, batch, time, inputs, hidden, 0, reset_after);
}

// d_hidden_state [B, H] comes in as the gradient of the final state and leaves as that of the initial one. The gradient of
// the pre-activations is one thing for x·W + b (d_gates) and, reset after, another for h·U + c (d_recurrent: times r in n).
EXPORT void gru_backward(const float *input, const float *input_weight, const float *recurrent_weight,
                         const float *initial_hidden, const int *lengths, const float *output, const float *gates,
                         const float *extra, const float *d_output, float *d_hidden_state, float *d_input,
                         float *d_input_weight, float *d_recurrent_weight, float *d_bias, float *d_recurrent_bias,
                         int batch, int time, int inputs, int hidden, int reverse, int reset_after, float *scratch, int thread, int threads, int *shared) {
  struct Team team = {thread, threads, shared};
  struct GruBackward f;
  struct Sequence *s = &f.sequence;
  int width = 3 * hidden, recurrent_width = reset_after ? width : 2 * hidden;
  vec one = splat(1.0f);
  gru_backward_layout(&team, &f, scratch, lengths, batch, time, inputs, hidden, reverse, reset_after);
  sequence_measure(s);
  struct Weights recurrent = prepare_weights(&team, recurrent_weight, 1, width, recurrent_width, hidden, time, f.weight), candidate;
  if (!reset_after)
    candidate = prepare_weights(&team, recurrent_weight + 2 * hidden, 1, width, hidden, hidden, time, f.candidate_weight);
  const float *x = gather_valid(s, input, f.input, inputs);
  previous_hidden(s, output, initial_hidden, f.previous, hidden);
  struct Range units = share_columns(&team, hidden);
  meet(&team);

  for (int step = s->longest - 1; step >= 0; step--) {
    int count = activate(s, step);
    // dn and dz; dh keeps the part that goes straight through z.
    for (int a = 0; a < count; a++) {
      int b = s->active[a], row = compact_row(s, b, step);
      const float *g = gates + row * width, *h = f.previous + row * hidden, *saved = extra + row * hidden;
      const float *d_out = d_output + dense_row(s, b, step) * hidden;
      float *d_gates = f.d_gates + row * width, *d_hidden = d_hidden_state + b * hidden;
      float *d_recurrent = reset_after ? f.d_recurrent + row * width : d_gates;
      for (int j = units.first; j < units.last; j += W) {
        int lanes = smaller(W, units.last - j);
        vec r = load_lanes(g + j, lanes), z = load_lanes(g + hidden + j, lanes), n = load_lanes(g + 2 * hidden + j, lanes);
        vec d = load_lanes(d_hidden + j, lanes) + load_lanes(d_out + j, lanes);
        vec d_n = d * (one - z) * (one - n * n), d_z = d * (load_lanes(h + j, lanes) - n) * z * (one - z);
        store_lanes(d_gates + hidden + j, d_z, lanes);
        store_lanes(d_gates + 2 * hidden + j, d_n, lanes);
        store_lanes(d_hidden + j, d * z, lanes);
        if (reset_after) {
          vec d_r = d_n * load_lanes(saved + j, lanes) * r * (one - r);
          store_lanes(d_gates + j, d_r, lanes);
          store_lanes(d_recurrent + j, d_r, lanes);
          store_lanes(d_recurrent + hidden + j, d_z, lanes);
          store_lanes(d_recurrent + 2 * hidden + j, d_n * r, lanes);
        }
      }
      s->rows[a] = reset_after ? d_recurrent : d_gates + 2 * hidden;
    }
    if (!reset_after) {
      // d(r∘h) = dn·Unᵀ, from it dr and the part of dh through r.
      meet(&team);
      multiply_rows(&team, s->rows, &candidate, f.candidates, hidden, count, f.work);
      for (int a = 0; a < count; a++) {
        int b = s->active[a], row = compact_row(s, b, step);
        const float *g = gates + row * width, *h = f.previous + row * hidden, *d_reset = f.candidates + a * hidden;
        float *d_gates = f.d_gates + row * width, *d_hidden = d_hidden_state + b * hidden;
        for (int j = units.first; j < units.last; j += W) {
          int lanes = smaller(W, units.last - j);
          vec r = load_lanes(g + j, lanes), d = load_lanes(d_reset + j, lanes);
          store_lanes(d_gates + j, d * load_lanes(h + j, lanes) * r * (one - r), lanes);
          store_lanes(d_hidden + j, load_lanes(d_hidden + j, lanes) + d * r, lanes);
        }
        s->rows[a] = d_gates;
      }
    }
    meet(&team);
    multiply_rows(&team, s->rows, &recurrent, f.products, hidden, count, f.work);
    for (int a = 0; a < count; a++) {
      float *d_hidden = d_hidden_state + s->active[a] * hidden + units.first;
      add_into(d_hidden, d_hidden, f.products + a * hidden + units.first, units.last - units.first);
    }
  }

  const float *d = reset_after ? f.d_recurrent : f.d_gates;
  multiply(&team, f.previous, 1, hidden, d, width, 1, d_recurrent_weight, width, hidden, s->valid, recurrent_width, 0, f.work);
  if (!reset_after)
    multiply(&team, extra, 1, hidden, d + 2 * hidden, width, 1, d_recurrent_weight + 2 * hidden, width, hidden, s->valid, hidden, 0,
         f.work);
  if (d_recurrent_bias) sum_rows(&team, d, s->valid, width, d_recurrent_bias);
  project_input_gradient(s, x, inputs, input_weight, f.d_gates, width, d_input, d_input_weight, d_bias, f.input, f.work);
}
