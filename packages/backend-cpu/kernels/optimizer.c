// One step of an optimizer for one parameter, in one pass over memory. What it writes may lie where it reads: every vector is
// read before it is written. The equations, with the same names, are in packages/ops/src/optimizer-rules.ts. Products and sums are
// never fused, so that all machines give the same bits.
#include "team.h"

enum { rule_descent = 0, rule_momentum, rule_adam, rule_adamax, rule_lion, rule_squares, rule_adadelta };
enum { square_block = 1024, square_columns = 32 };

struct StepPlaces {
  const float *gradient, *parameter, *slots[3];
  float *out, *new_slots[3];
};

struct StepRule {
  vec scale, limit, gradient_decay, rate, decay, numbers[8];
  int limited, gradient_decayed, decayed, flag, adds;
};

INLINE vec mix(vec keep, vec old, vec take, vec fresh) { return keep * old + take * fresh; }

// From the gradient and the slots: the direction of descent, and the new slots in their place.
INLINE vec direction(const int kind, const struct StepRule *r, const struct StepPlaces *at, vec g, vec *slots) {
  const vec *n = r->numbers;
  switch (kind) {
  case rule_momentum: // keep, take, ahead
    slots[0] = mix(n[0], slots[0], n[1], g);
    return r->flag ? g + n[2] * slots[0] : slots[0];
  case rule_adam: { // beta1, 1 − beta1, beta2, 1 − beta2, epsilon, momentFactor, gradientFactor, squareFactor; flag: adaptive
    slots[0] = mix(n[0], slots[0], n[1], g);
    slots[1] = mix(n[2], slots[1], n[3], g * g);
    slots[2] = at->slots[2] ? maximum(slots[2], slots[1]) : slots[1];
    vec moment = n[5] * slots[0] + n[6] * g;
    return r->flag ? moment / (square_root(n[7] * slots[2]) + n[4]) : moment;
  }
  case rule_adamax: // beta1, 1 − beta1, beta2, epsilon, momentFactor
    slots[0] = mix(n[0], slots[0], n[1], g);
    slots[1] = maximum(n[2] * slots[1], absolute(g) + n[3]);
    return n[4] * slots[0] / slots[1];
  case rule_lion: { // beta1, 1 − beta1, beta2, 1 − beta2
    vec moment = mix(n[0], slots[0], n[1], g), zero = splat(0.0f);
    slots[0] = mix(n[2], slots[0], n[3], g);
    vec sign = choose(moment > zero, splat(1.0f), choose(moment < zero, splat(-1.0f), zero));
    return choose(moment == moment, sign, moment);
  }
  case rule_squares: { // keep, take, epsilon inside the root, epsilon, momentum
    slots[0] = mix(n[0], slots[0], n[1], g * g);
    vec square = slots[0];
    if (at->slots[1]) {
      slots[1] = mix(n[0], slots[1], n[1], g);
      square = maximum(square - slots[1] * slots[1], splat(0.0f));
    }
    vec quotient = g / (square_root(square + n[2]) + n[3]);
    return at->slots[2] ? (slots[2] = n[4] * slots[2] + quotient) : quotient;
  }
  case rule_adadelta: { // decay, 1 − decay, epsilon
    slots[0] = mix(n[0], slots[0], n[1], g * g);
    vec step = square_root(slots[1] + n[2]) / square_root(slots[0] + n[2]) * g;
    slots[1] = mix(n[0], slots[1], n[1], step * step);
    return step;
  }
  default:
    return g;
  }
}

INLINE void step_lanes(const int kind, const struct StepRule *r, const struct StepPlaces *at, float *out, usize i, int count) {
  vec slots[3], parameter = splat(0.0f), g = load_lanes(at->gradient + i, count) * r->scale;
  if (r->limited) g = minimum(maximum(g, -r->limit), r->limit);
  if (r->adds || r->gradient_decayed || r->decayed) parameter = load_lanes(at->parameter + i, count);
  if (r->gradient_decayed) g += r->gradient_decay * parameter;
  UNROLL_ALL
  for (int k = 0; k < 3; k++) slots[k] = at->slots[k] ? load_lanes(at->slots[k] + i, count) : splat(0.0f);
  vec descent = direction(kind, r, at, g, slots);
  if (r->decayed) descent += r->decay * parameter;
  UNROLL_ALL
  for (int k = 0; k < 3; k++)
    if (at->new_slots[k]) store_lanes(at->new_slots[k] + i, slots[k], count);
  store_lanes(out, r->adds ? parameter - r->rate * descent : -(r->rate * descent), count);
}

// Elements `first` … `last`; element i of the result goes to out[i − first].
#define STEP_RANGE(name, kind) \
  static __attribute__((noinline)) void name(const struct StepRule *r, const struct StepPlaces *at, float *out, int first, int last) { \
    int i = first; \
    for (; i + W <= last; i += W) step_lanes(kind, r, at, out + (i - first), i, W); \
    if (i < last) step_lanes(kind, r, at, out + (i - first), i, last - i); \
  }
STEP_RANGE(step_descent, rule_descent)
STEP_RANGE(step_momentum, rule_momentum)
STEP_RANGE(step_adam, rule_adam)
STEP_RANGE(step_adamax, rule_adamax)
STEP_RANGE(step_lion, rule_lion)
STEP_RANGE(step_squares, rule_squares)
STEP_RANGE(step_adadelta, rule_adadelta)

static void step_range(int kind, const struct StepRule *r, const struct StepPlaces *at, float *out, int first, int last) {
  switch (kind) {
  case rule_momentum: step_momentum(r, at, out, first, last); return;
  case rule_adam: step_adam(r, at, out, first, last); return;
  case rule_adamax: step_adamax(r, at, out, first, last); return;
  case rule_lion: step_lion(r, at, out, first, last); return;
  case rule_squares: step_squares(r, at, out, first, last); return;
  case rule_adadelta: step_adadelta(r, at, out, first, last); return;
  default: step_descent(r, at, out, first, last);
  }
}

// Σ x², in columns as wide for every machine.
INLINE float block_squares(const float *x, int count) {
  vec sums[square_columns / W];
  float columns[square_columns];
  UNROLL_ALL
  for (int v = 0; v < square_columns / W; v++) sums[v] = splat(0.0f);
  int j = 0;
  for (; j + square_columns <= count; j += square_columns) {
    UNROLL_ALL
    for (int v = 0; v < square_columns / W; v++) {
      vec lanes = load(x + j + v * W);
      sums[v] += lanes * lanes;
    }
  }
  for (int v = 0; v < square_columns / W; v++) store(columns + v * W, sums[v]);
  for (int i = 0; j + i < count; i++) columns[i] += x[j + i] * x[j + i];
  for (int half = square_columns / 2; half > 0; half /= 2)
    for (int i = 0; i < half; i++) columns[i] += columns[i + half];
  return columns[0];
}

// sums[b] = Σ x² over the block of 1024 elements number b.
EXPORT void square_sums(const float *x, float *sums, int size, int thread, int threads, int *shared) {
  struct Team team = {thread, threads, shared};
  struct Range part = share(&team, (size + square_block - 1) / square_block, 1);
  for (int b = part.first; b < part.last; b++) {
    int start = b * square_block;
    sums[b] = block_squares(x + start, smaller(square_block, size - start));
  }
}

// `scale`: a factor of the gradient, in memory. `numbers`: rate, decay, gradient_decay, limit, flag, then those of the rule.
// With `parameter_out` the step is made: it gets parameter + update; with `update` it gets the update; new_0 … new_2 the slots.
// With `sums` nothing is written but Σ update² of every block of 1024 elements. Slots that a rule does not have are 0.
EXPORT void optimizer_step(int kind, const float *gradient, const float *scale, const float *parameter, const float *slot0,
                           const float *slot1, const float *slot2, float *parameter_out, float *update, float *new0,
                           float *new1, float *new2, float *sums, const float *numbers, int size, int thread, int threads,
                           int *shared) {
  struct Team team = {thread, threads, shared};
  struct StepPlaces at = {gradient, parameter, {slot0, slot1, slot2}, parameter_out ? parameter_out : update, {new0, new1, new2}};
  struct StepRule rule = {.scale = splat(scale ? *scale : 1.0f),
                      .rate = splat(numbers[0]),
                      .decay = splat(numbers[1]),
                      .gradient_decay = splat(numbers[2]),
                      .limit = splat(numbers[3]),
                      .decayed = numbers[1] != 0.0f,
                      .gradient_decayed = numbers[2] != 0.0f,
                      .limited = numbers[3] < __builtin_inff(),
                      .flag = numbers[4] != 0.0f,
                      .adds = parameter_out != 0};
  for (int k = 0; k < 8; k++) rule.numbers[k] = splat(numbers[5 + k]);
  if (!sums) {
    struct Range part = share(&team, size, 16);
    step_range(kind, &rule, &at, at.out + part.first, part.first, part.last);
    return;
  }
  float block[square_block];
  struct Range part = share(&team, (size + square_block - 1) / square_block, 1);
  for (int b = part.first; b < part.last; b++) {
    int start = b * square_block, count = smaller(square_block, size - start);
    step_range(kind, &rule, &at, block, start, start + count);
    sums[b] = block_squares(block, count);
  }
}
