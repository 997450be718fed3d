// Whole-sequence Elman network (Elman 1990), forward and backward: h ← φ(x·Wx + b + h·Wh), φ = tanh or max(0, ·).
#include "recurrent.h"
#include "vector-math.h"

struct RnnForward {
  struct Sequence sequence;
  float *input, *weight, *projected, *products, *work;
};

static usize rnn_forward_layout(const struct Team *team, struct RnnForward *f, float *base, const int *lengths, int batch,
                                int time, int inputs, int hidden, int reverse) {
  float *cursor = base;
  usize steps = (usize)batch * time;
  sequence_begin(team, &f->sequence, &cursor, lengths, batch, time, reverse);
  f->input = take(&cursor, lengths ? steps * inputs : 0);
  f->weight = take(&cursor, weights_space(hidden, hidden, time));
  f->projected = take(&cursor, steps * hidden);
  f->products = take(&cursor, (usize)batch * hidden);
  f->work = take_own(team, &cursor, multiply_rows_work(batch, hidden));
  return floats_between(base, cursor);
}

EXPORT usize rnn_forward_work(int padded, int batch, int time, int inputs, int hidden, int threads) {
  struct RnnForward f;
  struct Team team = {0, threads, 0};
  return rnn_forward_layout(&team, &f, 0, (const int *)(usize)padded, batch, time, inputs, hidden, 0);
}

EXPORT void rnn_forward(const float *input, const float *input_weight, const float *recurrent_weight, const float *bias,
                        const float *initial_hidden, const int *lengths, float *output, float *hidden_state, int batch,
                        int time, int inputs, int hidden, int reverse, int rectified, float *scratch, int thread, int threads, int *shared) {
  struct Team team = {thread, threads, shared};
  struct RnnForward f;
  struct Sequence *s = &f.sequence;
  rnn_forward_layout(&team, &f, scratch, lengths, batch, time, inputs, hidden, reverse);
  sequence_measure(s);
  const float *x = gather_valid(s, input, f.input, inputs);
  project_input(s, x, inputs, input_weight, bias, f.projected, hidden, f.work);
  struct Weights recurrent = prepare_weights(&team, recurrent_weight, hidden, 1, hidden, hidden, time, f.weight);
  struct Range units = share_columns(&team, hidden), rows = share(&team, batch, 1);
  copy_floats(hidden_state + rows.first * hidden, initial_hidden + rows.first * hidden,
              (usize)(rows.last - rows.first) * hidden);
  zero_padding(s, output, hidden);
  meet(&team);

  for (int step = 0; step < s->longest; step++) {
    int count = activate(s, step);
    for (int a = 0; a < count; a++) s->rows[a] = hidden_state + s->active[a] * hidden;
    multiply_rows(&team, s->rows, &recurrent, f.products, hidden, count, f.work);
    meet(&team);
    for (int a = 0; a < count; a++) {
      int b = s->active[a];
      const float *projected = f.projected + compact_row(s, b, step) * hidden, *products = f.products + a * hidden;
      float *state = hidden_state + b * hidden;
      for (int j = units.first; j < units.last; j += W) {
        int lanes = smaller(W, units.last - j);
        vec z = load_lanes(projected + j, lanes) + load_lanes(products + j, lanes);
        store_lanes(state + j, rectified ? maximum(z, splat(0.0f)) : vector_tanh(z), lanes);
      }
      copy_floats(output + dense_row(s, b, step) * hidden + units.first, state + units.first, units.last - units.first);
    }
    meet(&team);
  }
}

struct RnnBackward {
  struct Sequence sequence;
  float *input, *weight, *d_z, *products, *previous, *work;
};

static usize rnn_backward_layout(const struct Team *team, struct RnnBackward *f, float *base, const int *lengths, int batch,
                                 int time, int inputs, int hidden, int reverse) {
  float *cursor = base;
  usize steps = (usize)batch * time;
  sequence_begin(team, &f->sequence, &cursor, lengths, batch, time, reverse);
  f->input = take(&cursor, lengths ? steps * inputs : 0);
  f->weight = take(&cursor, weights_space(hidden, hidden, time));
  f->d_z = take(&cursor, steps * hidden);
  f->products = take(&cursor, (usize)batch * hidden);
  f->previous = take(&cursor, steps * hidden);
  f->work = take_own(team, &cursor, multiply_rows_work(batch, hidden));
  return floats_between(base, cursor);
}

EXPORT usize rnn_backward_work(int padded, int batch, int time, int inputs, int hidden, int threads) {
  struct RnnBackward f;
  struct Team team = {0, threads, 0};
  return rnn_backward_layout(&team, &f, 0, (const int *)(usize)padded, batch, time, inputs, hidden, 0);
}

// d_hidden_state [B, H] comes in as the gradient of the final state and leaves as that of the initial one.
EXPORT void rnn_backward(const float *input, const float *input_weight, const float *recurrent_weight,
                         const float *initial_hidden, const int *lengths, const float *output, const float *d_output,
                         float *d_hidden_state, float *d_input, float *d_input_weight, float *d_recurrent_weight,
                         float *d_bias, int batch, int time, int inputs, int hidden, int reverse, int rectified,
                         float *scratch, int thread, int threads, int *shared) {
  struct Team team = {thread, threads, shared};
  struct RnnBackward f;
  struct Sequence *s = &f.sequence;
  rnn_backward_layout(&team, &f, scratch, lengths, batch, time, inputs, hidden, reverse);
  sequence_measure(s);
  struct Weights recurrent = prepare_weights(&team, recurrent_weight, 1, hidden, hidden, hidden, time, f.weight);
  struct Range units = share_columns(&team, hidden);

  for (int step = s->longest - 1; step >= 0; step--) {
    int count = activate(s, step);
    for (int a = 0; a < count; a++) {
      int b = s->active[a], dense = dense_row(s, b, step) * hidden;
      const float *h = output + dense, *d_out = d_output + dense, *d_hidden = d_hidden_state + b * hidden;
      float *d_z = f.d_z + compact_row(s, b, step) * hidden;
      for (int j = units.first; j < units.last; j += W) {
        int lanes = smaller(W, units.last - j);
        vec y = load_lanes(h + j, lanes), d = load_lanes(d_hidden + j, lanes) + load_lanes(d_out + j, lanes);
        vec slope = splat(1.0f) - y * y;
        store_lanes(d_z + j, rectified ? choose(y > splat(0.0f), d, splat(0.0f)) : d * slope, lanes);
      }
      s->rows[a] = d_z;
    }
    meet(&team);
    multiply_rows(&team, s->rows, &recurrent, f.products, hidden, count, f.work);
    for (int a = 0; a < count; a++)
      copy_floats(d_hidden_state + s->active[a] * hidden + units.first, f.products + a * hidden + units.first,
                  units.last - units.first);
  }

  const float *x = gather_valid(s, input, f.input, inputs);
  previous_hidden(s, output, initial_hidden, f.previous, hidden);
  meet(&team);
  multiply(&team, f.previous, 1, hidden, f.d_z, hidden, 1, d_recurrent_weight, hidden, hidden, s->valid, hidden, 0, f.work);
  project_input_gradient(s, x, inputs, input_weight, f.d_z, hidden, d_input, d_input_weight, d_bias, f.input, f.work);
}
