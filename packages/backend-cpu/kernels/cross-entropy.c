// Softmax cross-entropy of integer labels. With p = softmax(z), class weights w, smoothing ε and V classes, a row's loss is
//   (1−ε)·w_y·(−log p_y) + (ε/V)·Σ_c w_c·(−log p_c),   −log p_c = log Σ exp(z − max) + (max − z_c),
// which never forms exp of a large number nor the difference of two large ones. The caller has checked the labels.
#include "team.h"
#include "vector-math.h"

INLINE float row_maximum(const float *z, int classes) {
  vec best = splat(-__builtin_inff());
  int j = 0;
  for (; j + W <= classes; j += W) best = maximum(best, load(z + j));
  float result = max_lanes(best);
  for (; j < classes; j++) result = z[j] > result ? z[j] : result;
  return result;
}

// out = exp(z − shift) if `out` is given; returns the sum.
INLINE float exponentials(const float *z, float shift, float *out, int classes) {
  vec sum = splat(0.0f), by = splat(shift);
  int j = 0;
  for (; j + W <= classes; j += W) {
    vec e = vector_exp(load(z + j) - by);
    if (out) store(out + j, e);
    sum += e;
  }
  float total = sum_lanes(sum);
  if (j < classes) {
    vec e = vector_exp(load_lanes(z + j, classes - j) - by);
    if (out) store_lanes(out + j, e, classes - j);
    for (int i = 0; j + i < classes; i++) total += e[i];
  }
  return total;
}

// Σ_c w_c·(shift − z_c), all w_c = 1 when `weights` is 0.
INLINE float weighted_distance(const float *z, const float *weights, float shift, int classes) {
  float total = 0.0f;
  vec sum = splat(0.0f), from = splat(shift);
  int j = 0;
  for (; j + W <= classes; j += W) sum += (from - load(z + j)) * (weights ? load(weights + j) : splat(1.0f));
  for (; j < classes; j++) total += (shift - z[j]) * (weights ? weights[j] : 1.0f);
  return total + sum_lanes(sum);
}

INLINE float total_weight(const float *weights, int classes) {
  if (!weights) return (float)classes;
  double total = 0.0;
  for (int j = 0; j < classes; j++) total += weights[j];
  return (float)total;
}

// Rows whose label is `ignored` have no loss; `has_ignored` says whether there is such a label.
EXPORT void cross_entropy_forward(const float *logits, const int *labels, const float *weights, float *losses,
                                  float *log_sum_exp, int rows, int classes, float smoothing, int has_ignored,
                                  int ignored, int thread, int threads, int *shared) {
  struct Team team = {thread, threads, shared};
  struct Range part = share(&team, rows, 1);
  logits += (usize)part.first * classes;
  float weight_sum = total_weight(weights, classes);
  for (int i = part.first; i < part.last; i++, logits += classes) {
    float largest = row_maximum(logits, classes);
    float log_sum = (float)natural_log(exponentials(logits, largest, 0, classes));
    int label = labels[i];
    log_sum_exp[i] = largest + log_sum;
    losses[i] = 0.0f;
    if (has_ignored && label == ignored) continue;
    losses[i] = (1.0f - smoothing) * (weights ? weights[label] : 1.0f) * (log_sum + (largest - logits[label]));
    if (smoothing != 0.0f)
      losses[i] += smoothing / classes * (weight_sum * log_sum + weighted_distance(logits, weights, largest, classes));
  }
}

// dz_c = dLoss·((1−ε)·w_y·(p_c − [c = y]) + (ε/V)·(p_c·Σw − w_c)). p is normalised again here, because a log-sum-exp near
// 1e4 has lost the digits that the softmax needs.
EXPORT void cross_entropy_backward(const float *logits, const int *labels, const float *weights, const float *log_sum_exp,
                                   const float *d_losses, float *d_logits, int rows, int classes, float smoothing,
                                   int has_ignored, int ignored, int thread, int threads, int *shared) {
  struct Team team = {thread, threads, shared};
  struct Range part = share(&team, rows, 1);
  logits += (usize)part.first * classes;
  d_logits += (usize)part.first * classes;
  float weight_sum = total_weight(weights, classes);
  for (int i = part.first; i < part.last; i++, logits += classes, d_logits += classes) {
    int label = labels[i];
    if (has_ignored && label == ignored) {
      zero_floats(d_logits, classes);
      continue;
    }
    float sum = exponentials(logits, log_sum_exp[i], d_logits, classes);
    float at_label = (1.0f - smoothing) * (weights ? weights[label] : 1.0f), elsewhere = smoothing / classes;
    float scale = d_losses[i] * (at_label + elsewhere * weight_sum) / sum, offset = d_losses[i] * elsewhere;
    int j = 0;
    for (; j + W <= classes; j += W)
      store(d_logits + j, load(d_logits + j) * splat(scale) - splat(offset) * (weights ? load(weights + j) : splat(1.0f)));
    for (; j < classes; j++) d_logits[j] = d_logits[j] * scale - offset * (weights ? weights[j] : 1.0f);
    d_logits[label] -= d_losses[i] * at_label;
  }
}

// Softmax of each row.
EXPORT void softmax(const float *logits, float *out, int rows, int classes, int thread, int threads, int *shared) {
  struct Team team = {thread, threads, shared};
  struct Range part = share(&team, rows, 1);
  logits += (usize)part.first * classes;
  out += (usize)part.first * classes;
  for (int i = part.first; i < part.last; i++, logits += classes, out += classes) {
    vec scale = splat(1.0f / exponentials(logits, row_maximum(logits, classes), out, classes));
    for (int j = 0; j < classes; j += W) {
      int lanes = smaller(W, classes - j);
      store_lanes(out + j, load_lanes(out + j, lanes) * scale, lanes);
    }
  }
}
