// Adam (Kingma & Ba 2015, arXiv:1412.6980) with decoupled weight decay (Loshchilov & Hutter 2019, arXiv:1711.05101), one pass:
//   m' = β₁m + (1−β₁)g,  v' = β₂v + (1−β₂)g²,
//   update = −learningRate·((m'/firstCorrection) / (√(v'/secondCorrection) + epsilon) + weightDecay·parameter).
#include "team.h"

struct AdamRates {
  vec beta1, rest1, beta2, rest2, first, second, epsilon, rate, decay;
};

INLINE void adam_lanes(const struct AdamRates *r, const float *gradient, const float *m, const float *v,
                       const float *parameter, float *update, float *new_m, float *new_v, usize i, int count) {
  vec g = load_lanes(gradient + i, count);
  vec moment = r->beta1 * load_lanes(m + i, count) + r->rest1 * g;
  vec square = r->beta2 * load_lanes(v + i, count) + r->rest2 * (g * g);
  vec step = (moment / r->first) / (square_root(square / r->second) + r->epsilon);
  if (parameter) step += r->decay * load_lanes(parameter + i, count);
  store_lanes(new_m + i, moment, count);
  store_lanes(new_v + i, square, count);
  store_lanes(update + i, -(r->rate * step), count);
}

EXPORT void adam(const float *gradient, const float *m, const float *v, const float *parameter, float *update, float *new_m,
                 float *new_v, usize size, float learning_rate, double beta1, double beta2, float epsilon,
                 float weight_decay, float first_correction, float second_correction, int thread, int threads,
                 int *shared) {
  struct Team team = {thread, threads, shared};
  struct Range part = share(&team, (int)size, 16);
  struct AdamRates rates = {
      splat((float)beta1), splat((float)(1.0 - beta1)), splat((float)beta2), splat((float)(1.0 - beta2)),
      splat(first_correction), splat(second_correction), splat(epsilon), splat(learning_rate), splat(weight_decay)};
  int i = part.first;
  for (; i + W <= part.last; i += W) adam_lanes(&rates, gradient, m, v, parameter, update, new_m, new_v, i, W);
  if (i < part.last) adam_lanes(&rates, gradient, m, v, parameter, update, new_m, new_v, i, part.last - i);
}
