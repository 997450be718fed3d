// Whole-sequence LSTM (Hochreiter & Schmidhuber 1997; forget gate by Gers et al. 2000; projection by Sak et al. 2014,
// arXiv:1402.1128), forward and backward. Gates lie in the order i, f, g, o:
//   i, f, o = σ(·), g = tanh(·) of x·Wx + b + h·Wh;  c ← f∘c + i∘g;  h ← o∘tanh(c), times `projection` [H, P] if any.
// All x·Wx are one product before the loop, the weight gradients one product each after it; Wh is packed once. Each thread of
// the team owns a range of units: it alone writes their states, and reads those of the others after a meeting.
#include "recurrent.h"
#include "vector-math.h"

struct LstmForward {
  struct Sequence sequence;
  float *input, *weight, *projection, *products, *raw, *projected, *work;
};

static usize lstm_forward_layout(const struct Team *team, struct LstmForward *f, float *base, const int *lengths,
                                 int batch, int time, int inputs, int hidden, int outputs, int projected, int reverse) {
  float *cursor = base;
  sequence_begin(team, &f->sequence, &cursor, lengths, batch, time, reverse);
  f->input = take(&cursor, lengths ? (usize)batch * time * inputs : 0);
  f->weight = take(&cursor, weights_space(outputs, 4 * hidden, time));
  f->products = take(&cursor, (usize)batch * 4 * hidden);
  f->projection = take(&cursor, projected ? weights_space(hidden, outputs, time) : 0);
  f->raw = take(&cursor, projected ? (usize)batch * hidden : 0);
  f->projected = take(&cursor, projected ? (usize)batch * outputs : 0);
  f->work = take_own(team, &cursor, multiply_rows_work(batch, larger(hidden, outputs)));
  return floats_between(base, cursor);
}

EXPORT usize lstm_forward_work(int padded, int batch, int time, int inputs, int hidden, int outputs, int projected,
                               int threads) {
  struct LstmForward f;
  struct Team team = {0, threads, 0};
  return lstm_forward_layout(&team, &f, 0, (const int *)(usize)padded, batch, time, inputs, hidden, outputs, projected, 0);
}

// One row, one step. `gates` holds x·Wx + b and receives the activated gates.
INLINE void lstm_cell(float *gates, const float *products, float *cell, float *saved_cell, float *raw, int hidden, int j,
                      int count) {
  vec i = vector_sigmoid(load_lanes(gates + j, count) + load_lanes(products + j, count));
  vec f = vector_sigmoid(load_lanes(gates + hidden + j, count) + load_lanes(products + hidden + j, count));
  vec g = vector_tanh(load_lanes(gates + 2 * hidden + j, count) + load_lanes(products + 2 * hidden + j, count));
  vec o = vector_sigmoid(load_lanes(gates + 3 * hidden + j, count) + load_lanes(products + 3 * hidden + j, count));
  vec c = f * load_lanes(cell + j, count) + i * g;
  store_lanes(gates + j, i, count);
  store_lanes(gates + hidden + j, f, count);
  store_lanes(gates + 2 * hidden + j, g, count);
  store_lanes(gates + 3 * hidden + j, o, count);
  store_lanes(cell + j, c, count);
  store_lanes(saved_cell + j, c, count);
  store_lanes(raw + j, o * vector_tanh(c), count);
}

// gates [valid, 4H] and cells [valid, H] are what the backward pass needs; `hidden_state` [B, P] and `cell_state` [B, H] are
// the running and then the final state.
EXPORT void lstm_forward(const float *input, const float *input_weight, const float *recurrent_weight, const float *bias,
                         const float *initial_hidden, const float *initial_cell, const float *projection, const int *lengths,
                         float *output, float *hidden_state, float *cell_state, float *gates, float *cells, int batch,
                         int time, int inputs, int hidden, int outputs, int reverse, float *scratch, int thread, int threads, int *shared) {
  struct Team team = {thread, threads, shared};
  struct LstmForward f;
  struct Sequence *s = &f.sequence;
  lstm_forward_layout(&team, &f, scratch, lengths, batch, time, inputs, hidden, outputs, projection != 0, reverse);
  sequence_measure(s);
  const float *x = gather_valid(s, input, f.input, inputs);
  project_input(s, x, inputs, input_weight, bias, gates, 4 * hidden, f.work);
  struct Weights recurrent = prepare_weights(&team, recurrent_weight, 4 * hidden, 1, outputs, 4 * hidden, time, f.weight);
  struct Weights projector;
  if (projection) projector = prepare_weights(&team, projection, outputs, 1, hidden, outputs, time, f.projection);
  struct Range units = share_columns(&team, hidden), columns = share_columns(&team, outputs), rows = share(&team, batch, 1);
  copy_floats(hidden_state + rows.first * outputs, initial_hidden + rows.first * outputs,
              (usize)(rows.last - rows.first) * outputs);
  copy_floats(cell_state + rows.first * hidden, initial_cell + rows.first * hidden, (usize)(rows.last - rows.first) * hidden);
  zero_padding(s, output, outputs);
  meet(&team);

  for (int step = 0; step < s->longest; step++) {
    int count = activate(s, step);
    for (int a = 0; a < count; a++) s->rows[a] = hidden_state + s->active[a] * outputs;
    multiply_rows(&team, s->rows, &recurrent, f.products, 4 * hidden, count, f.work);
    meet(&team);
    for (int a = 0; a < count; a++) {
      int b = s->active[a], row = compact_row(s, b, step);
      float *row_gates = gates + row * 4 * hidden, *products = f.products + a * 4 * hidden;
      float *cell = cell_state + b * hidden, *saved = cells + row * hidden;
      float *raw = projection ? f.raw + a * hidden : hidden_state + b * outputs;
      int j = units.first;
      for (; j + W <= units.last; j += W) lstm_cell(row_gates, products, cell, saved, raw, hidden, j, W);
      if (j < units.last) lstm_cell(row_gates, products, cell, saved, raw, hidden, j, units.last - j);
    }
    if (projection) {
      meet(&team);
      for (int a = 0; a < count; a++) s->rows[a] = f.raw + a * hidden;
      multiply_rows(&team, s->rows, &projector, f.projected, outputs, count, f.work);
      for (int a = 0; a < count; a++)
        copy_floats(hidden_state + s->active[a] * outputs + columns.first, f.projected + a * outputs + columns.first,
                    columns.last - columns.first);
    }
    for (int a = 0; a < count; a++) {
      int b = s->active[a];
      copy_floats(output + dense_row(s, b, step) * outputs + columns.first, hidden_state + b * outputs + columns.first,
                  columns.last - columns.first);
    }
    meet(&team);
  }
}

struct LstmBackward {
  struct Sequence sequence;
  float *input, *weight, *projection, *d_gates, *products, *previous, *raw, *d_raw, *d_output, *work;
};

static usize lstm_backward_layout(const struct Team *team, struct LstmBackward *f, float *base, const int *lengths,
                                  int batch, int time, int inputs, int hidden, int outputs, int projected, int reverse) {
  float *cursor = base;
  usize steps = (usize)batch * time;
  sequence_begin(team, &f->sequence, &cursor, lengths, batch, time, reverse);
  f->input = take(&cursor, lengths ? steps * inputs : 0);
  f->weight = take(&cursor, weights_space(4 * hidden, outputs, time));
  f->projection = take(&cursor, projected ? weights_space(outputs, hidden, time) : 0);
  f->d_gates = take(&cursor, steps * 4 * hidden);
  f->products = take(&cursor, (usize)batch * outputs);
  f->previous = take(&cursor, steps * outputs);
  f->raw = take(&cursor, projected ? steps * hidden : 0);
  f->d_raw = take(&cursor, projected ? (usize)batch * hidden : 0);
  f->d_output = take(&cursor, projected ? steps * outputs : 0);
  f->work = take_own(team, &cursor, multiply_rows_work(batch, larger(4 * hidden, outputs)));
  return floats_between(base, cursor);
}

EXPORT usize lstm_backward_work(int padded, int batch, int time, int inputs, int hidden, int outputs, int projected,
                               int threads) {
  struct LstmBackward f;
  struct Team team = {0, threads, 0};
  return lstm_backward_layout(&team, &f, 0, (const int *)(usize)padded, batch, time, inputs, hidden, outputs, projected, 0);
}

// One row, one step: from dh and dc (of the state after the step) to the gradients of the four pre-activations and of the
// cell before the step. `raw`, if any, receives o∘tanh(c), the input of the projection.
INLINE void lstm_cell_gradient(const float *gates, const float *cell, const float *previous_cell, const float *d_hidden,
                               float *d_cell, float *d_gates, float *raw, int hidden, int j, int count) {
  vec one = splat(1.0f);
  vec i = load_lanes(gates + j, count), f = load_lanes(gates + hidden + j, count);
  vec g = load_lanes(gates + 2 * hidden + j, count), o = load_lanes(gates + 3 * hidden + j, count);
  vec squashed = vector_tanh(load_lanes(cell + j, count)), d_h = load_lanes(d_hidden + j, count);
  vec d_c = load_lanes(d_cell + j, count) + d_h * o * (one - squashed * squashed);
  store_lanes(d_gates + j, d_c * g * i * (one - i), count);
  store_lanes(d_gates + hidden + j, d_c * load_lanes(previous_cell + j, count) * f * (one - f), count);
  store_lanes(d_gates + 2 * hidden + j, d_c * i * (one - g * g), count);
  store_lanes(d_gates + 3 * hidden + j, d_h * squashed * o * (one - o), count);
  store_lanes(d_cell + j, d_c * f, count);
  if (raw) store_lanes(raw + j, o * squashed, count);
}

// d_hidden_state [B, P] and d_cell_state [B, H] come in as the gradients of the final state and leave as those of the
// initial one.
EXPORT void lstm_backward(const float *input, const float *input_weight, const float *recurrent_weight,
                          const float *initial_hidden, const float *initial_cell, const float *projection,
                          const int *lengths, const float *output, const float *gates, const float *cells,
                          const float *d_output, float *d_hidden_state, float *d_cell_state, float *d_input,
                          float *d_input_weight, float *d_recurrent_weight, float *d_bias, float *d_projection, int batch,
                          int time, int inputs, int hidden, int outputs, int reverse, float *scratch, int thread, int threads, int *shared) {
  struct Team team = {thread, threads, shared};
  struct LstmBackward f;
  struct Sequence *s = &f.sequence;
  lstm_backward_layout(&team, &f, scratch, lengths, batch, time, inputs, hidden, outputs, projection != 0, reverse);
  sequence_measure(s);
  struct Weights recurrent = prepare_weights(&team, recurrent_weight, 1, 4 * hidden, 4 * hidden, outputs, time, f.weight);
  struct Weights projector;
  if (projection) projector = prepare_weights(&team, projection, 1, outputs, outputs, hidden, time, f.projection);
  struct Range units = share_columns(&team, hidden), columns = share_columns(&team, outputs);
  int width = columns.last - columns.first;

  for (int step = s->longest - 1; step >= 0; step--) {
    int count = activate(s, step);
    for (int a = 0; a < count; a++) {
      int b = s->active[a];
      float *d_hidden = d_hidden_state + b * outputs, *mine = d_hidden + columns.first;
      add_into(mine, mine, d_output + dense_row(s, b, step) * outputs + columns.first, width);
      s->rows[a] = d_hidden;
      if (projection) copy_floats(f.d_output + compact_row(s, b, step) * outputs + columns.first, mine, width);
    }
    if (projection) {
      meet(&team);
      multiply_rows(&team, s->rows, &projector, f.d_raw, hidden, count, f.work);
    }
    for (int a = 0; a < count; a++) {
      int b = s->active[a], row = compact_row(s, b, step);
      const float *row_gates = gates + row * 4 * hidden, *cell = cells + row * hidden;
      const float *previous = step ? cells + compact_row(s, b, step - 1) * hidden : initial_cell + b * hidden;
      const float *d_hidden = projection ? f.d_raw + a * hidden : d_hidden_state + b * outputs;
      float *d_cell = d_cell_state + b * hidden, *d_gates = f.d_gates + row * 4 * hidden;
      float *raw = projection ? f.raw + row * hidden : 0;
      int j = units.first;
      for (; j + W <= units.last; j += W)
        lstm_cell_gradient(row_gates, cell, previous, d_hidden, d_cell, d_gates, raw, hidden, j, W);
      if (j < units.last)
        lstm_cell_gradient(row_gates, cell, previous, d_hidden, d_cell, d_gates, raw, hidden, j, units.last - j);
      s->rows[a] = d_gates;
    }
    meet(&team);
    multiply_rows(&team, s->rows, &recurrent, f.products, outputs, count, f.work);
    for (int a = 0; a < count; a++)
      copy_floats(d_hidden_state + s->active[a] * outputs + columns.first, f.products + a * outputs + columns.first, width);
  }

  const float *x = gather_valid(s, input, f.input, inputs);
  previous_hidden(s, output, initial_hidden, f.previous, outputs);
  meet(&team);
  multiply(&team, f.previous, 1, outputs, f.d_gates, 4 * hidden, 1, d_recurrent_weight, 4 * hidden, outputs, s->valid,
           4 * hidden, 0, f.work);
  if (projection)
    multiply(&team, f.raw, 1, hidden, f.d_output, outputs, 1, d_projection, outputs, hidden, s->valid, outputs, 0, f.work);
  project_input_gradient(s, x, inputs, input_weight, f.d_gates, 4 * hidden, d_input, d_input_weight, d_bias, f.input,
                         f.work);
}
