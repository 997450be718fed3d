// One step of a transformer layer behind a cache, for generation: norms, projections, cached attention, feed-forward and both
// residuals in one call. Vaswani et al. 2017, arXiv:1706.03762, section 3.1; pre-norm: Xiong et al. 2020, arXiv:2002.04745.
#include "attention.h"
#include "gemm.h"

// A norm: layer norm, or RMS norm; gain and bias may be 0.
struct StepNorm {
  const float *gain, *bias;
  float epsilon;
  int rms;
};

static void norm_rows(const struct StepNorm *norm, const float *x, float *y, float *statistics, int rows, int width) {
  if (norm->rms) rms_norm_forward(x, norm->gain, y, statistics, rows, width, norm->epsilon, 0, 1, 0);
  else layer_norm_forward(x, norm->gain, norm->bias, y, statistics, statistics + rows, rows, width, norm->epsilon, 0, 1, 0);
}

// This thread's rows of out = base + bias; 0 stands for zeros.
static void begin_sum(const struct Team *team, const float *base, const float *bias, float *out, int rows, int width) {
  struct Range mine = share(team, rows * width, 16);
  for (int at = mine.first; at < mine.last;) {
    int row = at / width, last = smaller(mine.last, (row + 1) * width);
    const float *addend = bias ? bias - (usize)row * width : 0;
    if (!base && !addend) zero_floats(out + at, last - at);
    else if (!addend) copy_floats(out + at, base + at, last - at);
    else if (!base) copy_floats(out + at, addend + at, last - at);
    else binary(ADD, base + at, 0, 1, addend + at, 0, 1, out + at, 1, last - at, 0, 1, 0);
    at = last;
  }
}

struct StepScratch {
  float *packed, *heads, *attended, *hidden, *gate, *statistics;  // of the team
  int *ends;
  float *normed, *norms, *product, *attention;  // of one thread
};

static void step_layout(const struct Team *team, int batch, int size, int packed, int heads, int hidden, int gated,
                        int query_heads, usize attention, float *base, struct StepScratch *s, usize *floats) {
  float *cursor = base;
  s->packed = take(&cursor, (usize)batch * packed);
  s->heads = take(&cursor, (usize)batch * heads);
  s->attended = take(&cursor, (usize)batch * size);
  s->hidden = take(&cursor, (usize)batch * hidden);
  s->gate = take(&cursor, gated ? (usize)batch * hidden : 0);
  s->statistics = take(&cursor, 2 * (usize)batch * query_heads);
  s->ends = (int *)take(&cursor, batch);
  s->attention = take(&cursor, attention);
  s->normed = take_own(team, &cursor, (usize)batch * size);
  s->norms = take_own(team, &cursor, 2 * (usize)batch);
  s->product = take_own(team, &cursor, product_work());
  *floats = floats_between(base, cursor);
}

EXPORT usize layer_step_work(int batch, int size, int packed, int heads, int hidden, int gated, int query_heads, int key_time,
                             int threads) {
  struct StepScratch s;
  usize floats;
  int width = heads / query_heads;
  step_layout(&(struct Team){0, threads, 0}, batch, size, packed, heads, hidden, gated, query_heads,
              attention_forward_work(key_time, width, width, threads), 0, &s, &floats);
  return floats;
}

// input, output [batch, size]; key_cache and value_cache [batch, key_heads, key_time, width], into which the step of row b is
// written at `lengths[b]`. Weights lie [in, out]; biases, gains and the gate may be 0. `activation` is one of `unary`.
EXPORT void layer_step(const float *input, float *key_cache, float *value_cache, const int *lengths, const float *attention_gain,
                       const float *attention_bias, const float *packed_weight, const float *packed_bias,
                       const float *output_weight, const float *output_bias, const float *feed_gain, const float *feed_bias,
                       const float *gate_weight, const float *gate_bias, const float *hidden_weight, const float *hidden_bias,
                       const float *final_weight, const float *final_bias, float *output, int batch, int size, int query_heads,
                       int key_heads, int width, int key_time, int hidden, int pre_norm, int rms, float attention_epsilon,
                       float feed_epsilon, float scale, int activation, float *scratch, int thread, int threads, int *shared) {
  struct Team team = {thread, threads, shared};
  int heads = query_heads * width, packed = heads + 2 * key_heads * width;
  struct StepNorm attention_norm = {attention_gain, attention_bias, attention_epsilon, rms};
  struct StepNorm feed_norm = {feed_gain, feed_bias, feed_epsilon, rms};
  struct StepScratch s;
  usize floats;
  step_layout(&team, batch, size, packed, heads, hidden, gate_weight != 0, query_heads,
              attention_forward_work(key_time, width, width, threads), scratch, &s, &floats);

  // Products are added to what they are followed by in the equations: biases and residuals.
  begin_sum(&team, 0, packed_bias, s.packed, batch, packed);
  begin_sum(&team, input, output_bias, s.attended, batch, size);
  begin_sum(&team, 0, hidden_bias, s.hidden, batch, hidden);
  if (gate_weight) begin_sum(&team, 0, gate_bias, s.gate, batch, hidden);
  meet(&team);

  const float *x = input;
  if (pre_norm) {
    norm_rows(&attention_norm, input, s.normed, s.norms, batch, size);
    x = s.normed;
  }
  multiply(&team, x, size, 1, packed_weight, packed, 1, s.packed, packed, batch, size, packed, 1, s.product);
  meet(&team);

  struct Range mine = share(&team, batch * key_heads, 1);
  for (int item = mine.first; item < mine.last; item++) {
    int row = item / key_heads, head = item % key_heads;
    const float *key = s.packed + (usize)row * packed + heads + head * width;
    usize to = ((usize)item * key_time + lengths[row]) * width;
    copy_floats(key_cache + to, key, width);
    copy_floats(value_cache + to, key + key_heads * width, width);
    s.ends[row] = lengths[row] + 1;
  }
  meet(&team);
  // A single step is its heads one below the other, which attention reads as one matrix.
  struct Place cache = {key_heads * key_time * width, key_time * width, width};
  struct Places places = {{packed, width, width}, cache, cache, {heads, width, width}};
  attention_forward(s.packed, key_cache, value_cache, 0, s.ends, s.heads, s.statistics, (const int *)&places, batch, query_heads,
                    key_heads, 1, key_time, width, width, 0, 0, 0, 0, scale, 0, 0, 0.0, 0, 0, s.attention, thread, threads,
                    shared);
  meet(&team);
  multiply(&team, s.heads, heads, 1, output_weight, size, 1, s.attended, size, batch, heads, size, 1, s.product);
  meet(&team);

  // The residual of the feed-forward part is the sum itself, or its norm.
  norm_rows(pre_norm ? &feed_norm : &attention_norm, s.attended, s.normed, s.norms, batch, size);
  begin_sum(&team, pre_norm ? s.attended : s.normed, final_bias, output, batch, size);
  multiply(&team, s.normed, size, 1, hidden_weight, hidden, 1, s.hidden, hidden, batch, size, hidden, 1, s.product);
  if (gate_weight)
    multiply(&team, s.normed, size, 1, gate_weight, hidden, 1, s.gate, hidden, batch, size, hidden, 1, s.product);
  meet(&team);
  mine = share(&team, batch * hidden, 16);
  float *active = (gate_weight ? s.gate : s.hidden) + mine.first;
  unary(activation, active, active, mine.last - mine.first, 0, 1, 0);
  if (gate_weight)
    binary(MULTIPLY, active, 0, 1, s.hidden + mine.first, 0, 1, s.hidden + mine.first, 1, mine.last - mine.first, 0, 1, 0);
  meet(&team);
  multiply(&team, s.hidden, hidden, 1, final_weight, size, 1, output, size, batch, hidden, size, 1, s.product);
  if (pre_norm) return;
  meet(&team);
  mine = share(&team, batch, 1);
  usize first = (usize)mine.first * size;
  norm_rows(&feed_norm, output + first, s.normed, s.norms, mine.last - mine.first, size);
  copy_floats(output + first, s.normed, (usize)(mine.last - mine.first) * size);
}
