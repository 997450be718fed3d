// Layer norm (Ba, Kiros & Hinton 2016, arXiv:1607.06450) and RMS norm (Zhang & Sennrich 2019, arXiv:1910.07467) over rows.
#include "team.h"

// Σ (x − shift), or Σ (x − shift)².
INLINE float row_sum(const float *x, int width, float shift, int squared) {
  vec sum = splat(0.0f), by = splat(shift);
  for (int j = 0; j < width; j += W) {
    int lanes = smaller(W, width - j);
    vec d = load_lanes(x + j, lanes) - by;
    if (lanes < W)
      for (int i = lanes; i < W; i++) d[i] = 0.0f;
    sum += squared ? d * d : d;
  }
  return sum_lanes(sum);
}

INLINE vec gain_lanes(const float *gain, int j, int lanes) { return gain ? load_lanes(gain + j, lanes) : splat(1.0f); }

// y = (x − mean)·inverse·gain + bias.
INLINE void scale_row(const float *x, const float *gain, const float *bias, float mean, float inverse, float *y, int width) {
  for (int j = 0; j < width; j += W) {
    int lanes = smaller(W, width - j);
    vec value = (load_lanes(x + j, lanes) - splat(mean)) * splat(inverse) * gain_lanes(gain, j, lanes);
    store_lanes(y + j, bias ? value + load_lanes(bias + j, lanes) : value, lanes);
  }
}

EXPORT void layer_norm_forward(const float *input, const float *gain, const float *bias, float *output, float *means,
                               float *inverses, int rows, int width, float epsilon, int thread, int threads, int *shared) {
  struct Team team = {thread, threads, shared};
  struct Range part = share(&team, rows, 1);
  input += (usize)part.first * width;
  output += (usize)part.first * width;
  for (int i = part.first; i < part.last; i++, input += width, output += width) {
    // Summed from the first element, so that a constant row is exactly 0.
    float mean = input[0] + row_sum(input, width, input[0], 0) / width;
    float variance = row_sum(input, width, mean, 1) / width;
    means[i] = mean;
    inverses[i] = 1.0f / __builtin_sqrtf(variance + epsilon);
    scale_row(input, gain, bias, mean, inverses[i], output, width);
  }
}

EXPORT void rms_norm_forward(const float *input, const float *gain, float *output, float *inverses, int rows, int width,
                             float epsilon, int thread, int threads, int *shared) {
  struct Team team = {thread, threads, shared};
  struct Range part = share(&team, rows, 1);
  input += (usize)part.first * width;
  output += (usize)part.first * width;
  for (int i = part.first; i < part.last; i++, input += width, output += width) {
    inverses[i] = 1.0f / __builtin_sqrtf(row_sum(input, width, 0.0f, 1) / width + epsilon);
    scale_row(input, gain, 0, 0.0f, inverses[i], output, width);
  }
}

// What a backward pass of a norm reads and writes; `means` is 0 for RMS norm, d_gain and d_bias may be 0.
struct NormGradient {
  const float *input, *gain, *means, *inverses, *d_output;
  float *d_input, *d_gain, *d_bias;
  int width;
};

// With x̂ = (x−mean)·inverse and g = dy∘gain:  dx = inverse·(g − mean(g) − x̂·mean(g∘x̂)); RMS norm has no mean(g).
INLINE void norm_input_gradient(const struct NormGradient *g, int row) {
  int width = g->width;
  const float *input = g->input + (usize)row * width, *d_output = g->d_output + (usize)row * width;
  float *d_input = g->d_input + (usize)row * width;
  vec mean = splat(g->means ? g->means[row] : 0.0f), inverse = splat(g->inverses[row]);
  vec sum = splat(0.0f), product = splat(0.0f);
  for (int j = 0; j < width; j += W) {
    int lanes = smaller(W, width - j);
    vec scaled = load_lanes(d_output + j, lanes) * gain_lanes(g->gain, j, lanes);
    sum += scaled;
    product += scaled * ((load_lanes(input + j, lanes) - mean) * inverse);  // lanes beyond the row have scaled = 0
  }
  vec mean_sum = splat(g->means ? sum_lanes(sum) / width : 0.0f), mean_product = splat(sum_lanes(product) / width);
  for (int j = 0; j < width; j += W) {
    int lanes = smaller(W, width - j);
    vec scaled = load_lanes(d_output + j, lanes) * gain_lanes(g->gain, j, lanes);
    vec normal = (load_lanes(input + j, lanes) - mean) * inverse;
    store_lanes(d_input + j, inverse * (scaled - mean_sum - normal * mean_product), lanes);
  }
}

// dGain += dy∘x̂, dBias += dy for columns first … last of a row.
INLINE void norm_parameter_gradients(const struct NormGradient *g, int row, int first, int last) {
  const float *input = g->input + (usize)row * g->width, *d_output = g->d_output + (usize)row * g->width;
  vec mean = splat(g->means ? g->means[row] : 0.0f), inverse = splat(g->inverses[row]);
  for (int j = first; j < last; j += W) {
    int lanes = smaller(W, last - j);
    vec d = load_lanes(d_output + j, lanes), normal = (load_lanes(input + j, lanes) - mean) * inverse;
    if (g->d_gain) store_lanes(g->d_gain + j, load_lanes(g->d_gain + j, lanes) + d * normal, lanes);
    if (g->d_bias) store_lanes(g->d_bias + j, load_lanes(g->d_bias + j, lanes) + d, lanes);
  }
}

// Threads share rows for the gradient of the input, columns for those of the parameters, which are sums over all rows.
static void norm_backward(const struct NormGradient *g, int rows, const struct Team *team) {
  struct Range part = share(team, rows, 1), columns = share(team, g->width, 16);
  int has_parameters = g->d_gain || g->d_bias;
  if (g->d_gain) zero_floats(g->d_gain + columns.first, columns.last - columns.first);
  if (g->d_bias) zero_floats(g->d_bias + columns.first, columns.last - columns.first);
  for (int i = part.first; i < part.last; i++) {
    norm_input_gradient(g, i);
    if (has_parameters && team->threads == 1) norm_parameter_gradients(g, i, 0, g->width);
  }
  if (has_parameters && team->threads > 1)
    for (int i = 0; i < rows; i++) norm_parameter_gradients(g, i, columns.first, columns.last);
}

EXPORT void layer_norm_backward(const float *input, const float *gain, const float *means, const float *inverses,
                                const float *d_output, float *d_input, float *d_gain, float *d_bias, int rows, int width,
                                int thread, int threads, int *shared) {
  struct NormGradient g = {input, gain, means, inverses, d_output, d_input, d_gain, d_bias, width};
  norm_backward(&g, rows, &(struct Team){thread, threads, shared});
}

EXPORT void rms_norm_backward(const float *input, const float *gain, const float *inverses, const float *d_output,
                              float *d_input, float *d_gain, int rows, int width, int thread, int threads, int *shared) {
  struct NormGradient g = {input, gain, 0, inverses, d_output, d_input, d_gain, 0, width};
  norm_backward(&g, rows, &(struct Team){thread, threads, shared});
}

// Batch normalisation with given moments: out = (x − mean)·factor + shift, all three [channels].
EXPORT void batch_norm(const float *x, const float *mean, const float *factor, const float *shift, float *out, int rows,
                       int channels, int thread, int threads, int *shared) {
  struct Team team = {thread, threads, shared};
  struct Range mine = share(&team, rows, 1);
  for (int i = mine.first; i < mine.last; i++) {
    const float *from = x + (usize)i * channels;
    float *to = out + (usize)i * channels;
    for (int j = 0; j < channels; j += W) {
      int lanes = smaller(W, channels - j);
      vec centred = load_lanes(from + j, lanes) - load_lanes(mean + j, lanes);
      store_lanes(to + j, centred * load_lanes(factor + j, lanes) + load_lanes(shift + j, lanes), lanes);
    }
  }
}
