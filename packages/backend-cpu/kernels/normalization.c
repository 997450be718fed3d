// Layer norm (Ba, Kiros & Hinton 2016, arXiv:1607.06450) and RMS norm (Zhang & Sennrich 2019, arXiv:1910.07467) over rows.
#include "vector.h"

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
                               float *inverses, int rows, int width, float epsilon) {
  for (int i = 0; i < rows; i++, input += width, output += width) {
    // Summed from the first element, so that a constant row is exactly 0.
    float mean = input[0] + row_sum(input, width, input[0], 0) / width;
    float variance = row_sum(input, width, mean, 1) / width;
    means[i] = mean;
    inverses[i] = 1.0f / __builtin_sqrtf(variance + epsilon);
    scale_row(input, gain, bias, mean, inverses[i], output, width);
  }
}

EXPORT void rms_norm_forward(const float *input, const float *gain, float *output, float *inverses, int rows, int width,
                             float epsilon) {
  for (int i = 0; i < rows; i++, input += width, output += width) {
    inverses[i] = 1.0f / __builtin_sqrtf(row_sum(input, width, 0.0f, 1) / width + epsilon);
    scale_row(input, gain, 0, 0.0f, inverses[i], output, width);
  }
}

// With x̂ = (x−mean)·inverse and g = dy∘gain:  dx = inverse·(g − mean(g) − x̂·mean(g∘x̂)); RMS norm has no mean(g).
// dGain = Σ dy∘x̂, dBias = Σ dy over rows; `means` is 0 for RMS norm, d_gain and d_bias may be 0.
INLINE void norm_backward(const float *input, const float *gain, const float *means, const float *inverses,
                          const float *d_output, float *d_input, float *d_gain, float *d_bias, int rows, int width) {
  if (d_gain) zero_floats(d_gain, width);
  if (d_bias) zero_floats(d_bias, width);
  for (int i = 0; i < rows; i++, input += width, d_output += width, d_input += width) {
    vec mean = splat(means ? means[i] : 0.0f), inverse = splat(inverses[i]);
    vec sum = splat(0.0f), product = splat(0.0f);
    for (int j = 0; j < width; j += W) {
      int lanes = smaller(W, width - j);
      vec d = load_lanes(d_output + j, lanes), normal = (load_lanes(input + j, lanes) - mean) * inverse;
      vec g = d * gain_lanes(gain, j, lanes);
      sum += g;
      product += g * normal;  // lanes beyond the row have g = 0
      if (d_gain) store_lanes(d_gain + j, load_lanes(d_gain + j, lanes) + d * normal, lanes);
      if (d_bias) store_lanes(d_bias + j, load_lanes(d_bias + j, lanes) + d, lanes);
    }
    vec mean_g = splat(means ? sum_lanes(sum) / width : 0.0f), mean_product = splat(sum_lanes(product) / width);
    for (int j = 0; j < width; j += W) {
      int lanes = smaller(W, width - j);
      vec g = load_lanes(d_output + j, lanes) * gain_lanes(gain, j, lanes);
      vec normal = (load_lanes(input + j, lanes) - mean) * inverse;
      store_lanes(d_input + j, inverse * (g - mean_g - normal * mean_product), lanes);
    }
  }
}

EXPORT void layer_norm_backward(const float *input, const float *gain, const float *means, const float *inverses,
                                const float *d_output, float *d_input, float *d_gain, float *d_bias, int rows, int width) {
  norm_backward(input, gain, means, inverses, d_output, d_input, d_gain, d_bias, rows, width);
}

EXPORT void rms_norm_backward(const float *input, const float *gain, const float *inverses, const float *d_output,
                              float *d_input, float *d_gain, int rows, int width) {
  norm_backward(input, gain, 0, inverses, d_output, d_input, d_gain, 0, rows, width);
}
