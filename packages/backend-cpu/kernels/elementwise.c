// Arithmetic and functions on every element, and reductions.
#include "vector-math.h"

enum Binary { ADD, SUBTRACT, MULTIPLY, DIVIDE, MAXIMUM, MINIMUM };

INLINE vec binary_lanes(int operation, vec a, vec b) {
  switch (operation) {
    case ADD: return a + b;
    case SUBTRACT: return a - b;
    case MULTIPLY: return a * b;
    case DIVIDE: return a / b;
    case MAXIMUM: return maximum(a, b);
    default: return minimum(a, b);
  }
}

// Column strides are 0 (one value for the whole row) or 1; both are constants where this is inlined.
INLINE void binary_row(int operation, const float *a, int a_column, const float *b, int b_column, float *out, int columns) {
  vec a_all = load_splat(a), b_all = load_splat(b);
  int j = 0;
  for (; j + W <= columns; j += W)
    store(out + j, binary_lanes(operation, a_column ? load(a + j) : a_all, b_column ? load(b + j) : b_all));
  if (j < columns) {
    int lanes = columns - j;
    vec x = a_column ? load_lanes(a + j, lanes) : a_all, y = b_column ? load_lanes(b + j, lanes) : b_all;
    store_lanes(out + j, binary_lanes(operation, x, y), lanes);
  }
}

INLINE void binary_rows(int operation, const float *a, int a_row, int a_column, const float *b, int b_row, int b_column,
                        float *out, int rows, int columns) {
  for (int i = 0; i < rows; i++, a += a_row, b += b_row, out += columns) {
    if (a_column && b_column) binary_row(operation, a, 1, b, 1, out, columns);
    else if (a_column) binary_row(operation, a, 1, b, 0, out, columns);
    else if (b_column) binary_row(operation, a, 0, b, 1, out, columns);
    else binary_row(operation, a, 0, b, 0, out, columns);
  }
}

// out[rows, columns] = a ∘ b, operands read through strides, which covers scalars, rows and columns broadcast.
EXPORT void binary(int operation, const float *a, int a_row, int a_column, const float *b, int b_row, int b_column,
                   float *out, int rows, int columns) {
  switch (operation) {
    case ADD: binary_rows(ADD, a, a_row, a_column, b, b_row, b_column, out, rows, columns); break;
    case SUBTRACT: binary_rows(SUBTRACT, a, a_row, a_column, b, b_row, b_column, out, rows, columns); break;
    case MULTIPLY: binary_rows(MULTIPLY, a, a_row, a_column, b, b_row, b_column, out, rows, columns); break;
    case DIVIDE: binary_rows(DIVIDE, a, a_row, a_column, b, b_row, b_column, out, rows, columns); break;
    case MAXIMUM: binary_rows(MAXIMUM, a, a_row, a_column, b, b_row, b_column, out, rows, columns); break;
    default: binary_rows(MINIMUM, a, a_row, a_column, b, b_row, b_column, out, rows, columns); break;
  }
}

enum Unary { SQUARE, SQUARE_ROOT, EXPONENTIAL, TANH, SIGMOID, RELU, NEGATE, ABSOLUTE, GELU_ERF, GELU_TANH, RELU6, SILU, LOGARITHM, ERROR_FUNCTION };

#define GELU_SCALE 0.7978845608028654f /* √(2/π) */
#define GELU_CUBIC 0.044715f

INLINE vec unary_lanes(int operation, vec x) {
  switch (operation) {
    case SQUARE: return x * x;
    case SQUARE_ROOT: return square_root(x);
    case EXPONENTIAL: return vector_exp(x);
    case TANH: return vector_tanh(x);
    case SIGMOID: return vector_sigmoid(x);
    case RELU: return maximum(x, splat(0.0f));
    case NEGATE: return -x;
    case ABSOLUTE: return absolute(x);
    case GELU_ERF: return x * vector_normal_cdf(x);
    // 0.5·x·(1 + tanh u) = x·σ(2u), which keeps the digits of the left tail.
    case GELU_TANH: return x * vector_sigmoid(splat(2.0f * GELU_SCALE) * x * (splat(1.0f) + splat(GELU_CUBIC) * x * x));
    case SILU: return x * vector_sigmoid(x);
    case LOGARITHM: return vector_log(x);
    case ERROR_FUNCTION: return vector_erf(x);
    default: return minimum(maximum(x, splat(0.0f)), splat(6.0f));
  }
}

INLINE void unary_all(int operation, const float *x, float *out, usize size) {
  usize i = 0;
  for (; i + W <= size; i += W) store(out + i, unary_lanes(operation, load(x + i)));
  if (i < size) store_lanes(out + i, unary_lanes(operation, load_lanes(x + i, (int)(size - i))), (int)(size - i));
}

// x and out may be the same.
EXPORT void unary(int operation, const float *x, float *out, usize size) {
  switch (operation) {
    case SQUARE: unary_all(SQUARE, x, out, size); break;
    case SQUARE_ROOT: unary_all(SQUARE_ROOT, x, out, size); break;
    case EXPONENTIAL: unary_all(EXPONENTIAL, x, out, size); break;
    case TANH: unary_all(TANH, x, out, size); break;
    case SIGMOID: unary_all(SIGMOID, x, out, size); break;
    case RELU: unary_all(RELU, x, out, size); break;
    case NEGATE: unary_all(NEGATE, x, out, size); break;
    case ABSOLUTE: unary_all(ABSOLUTE, x, out, size); break;
    case GELU_ERF: unary_all(GELU_ERF, x, out, size); break;
    case GELU_TANH: unary_all(GELU_TANH, x, out, size); break;
    case SILU: unary_all(SILU, x, out, size); break;
    case LOGARITHM: unary_all(LOGARITHM, x, out, size); break;
    case ERROR_FUNCTION: unary_all(ERROR_FUNCTION, x, out, size); break;
    default: unary_all(RELU6, x, out, size); break;
  }
}

// d(x·Φ(x)) = Φ(x) + x·φ(x);  with s = σ(2u), u = √(2/π)(x + 0.044715x³):  d(x·s) = s + x·s·(1−s)·2u'.
INLINE vec gelu_slope(int tanh_form, vec x) {
  if (!tanh_form)
    return vector_normal_cdf(x) + x * splat(0.3989422804014327f) * vector_exp(splat(-0.5f) * x * x);
  vec s = vector_sigmoid(splat(2.0f * GELU_SCALE) * x * (splat(1.0f) + splat(GELU_CUBIC) * x * x));
  vec slope = splat(2.0f * GELU_SCALE) * (splat(1.0f) + splat(3.0f * GELU_CUBIC) * x * x);
  return s + x * s * (splat(1.0f) - s) * slope;
}

EXPORT void gelu_backward(int tanh_form, const float *x, const float *d_output, float *d_input, usize size) {
  for (usize i = 0; i < size; i += W) {
    int lanes = size - i < W ? (int)(size - i) : W;
    vec slope = tanh_form ? gelu_slope(1, load_lanes(x + i, lanes)) : gelu_slope(0, load_lanes(x + i, lanes));
    store_lanes(d_input + i, slope * load_lanes(d_output + i, lanes), lanes);
  }
}

// With s = σ(x):  d(x·s) = s + x·s·(1−s).
EXPORT void silu_backward(const float *x, const float *d_output, float *d_input, usize size) {
  for (usize i = 0; i < size; i += W) {
    int lanes = size - i < W ? (int)(size - i) : W;
    vec value = load_lanes(x + i, lanes), s = vector_sigmoid(value), slope = s + value * s * (splat(1.0f) - s);
    store_lanes(d_input + i, slope * load_lanes(d_output + i, lanes), lanes);
  }
}

// out[i] = Σ_j x[i, j], four partial sums a lane apart, in double precision beyond 4096 elements.
EXPORT void sum_inner(const float *x, float *out, int rows, int columns) {
  for (int i = 0; i < rows; i++) {
    double total = 0.0;
    for (int start = 0; start < columns; start += 4096) {
      int end = smaller(columns, start + 4096), j = start;
      vec first = splat(0.0f), second = first;
      for (; j + 2 * W <= end; j += 2 * W) {
        first += load(x + j);
        second += load(x + j + W);
      }
      float rest = 0.0f;
      for (; j < end; j++) rest += x[j];
      total += (double)(sum_lanes(first + second) + rest);
    }
    out[i] = (float)total;
    x += columns;
  }
}

// out[outer, inner] = Σ_j x[outer, j, inner].
EXPORT void sum_middle(const float *x, float *out, int outer, int middle, int inner) {
  for (int i = 0; i < outer; i++, out += inner) {
    zero_floats(out, inner);
    for (int k = 0; k < middle; k++, x += inner) {
      int j = 0;
      for (; j + W <= inner; j += W) store(out + j, load(out + j) + load(x + j));
      for (; j < inner; j++) out[j] += x[j];
    }
  }
}

// out[batch, columns, rows] = x[batch, rows, columns], in blocks that stay in the first-level cache.
EXPORT void transpose(const float *x, float *out, int batch, int rows, int columns) {
  for (int b = 0; b < batch; b++, x += rows * columns, out += rows * columns)
    for (int i0 = 0; i0 < rows; i0 += 32)
      for (int j0 = 0; j0 < columns; j0 += 32)
        for (int j = j0; j < smaller(columns, j0 + 32); j++)
          for (int i = i0; i < smaller(rows, i0 + 32); i++) out[j * rows + i] = x[i * columns + j];
}

// Transposition that leaves the last axis in place: rows of `width` floats in the order of the output. `plan` holds, for
// each of `rank` outer axes of the output, its size and the distance (in rows) of its steps in x.
EXPORT void permute(const float *x, float *out, const int *plan, int rank, int width) {
  int index[8] = {0}, position = 0;
  for (;;) {
    copy_floats(out, x + (usize)position * width, width);
    out += width;
    int axis = rank - 1;
    for (; axis >= 0; axis--) {
      position += plan[2 * axis + 1];
      if (++index[axis] < plan[2 * axis]) break;
      position -= plan[2 * axis] * plan[2 * axis + 1];
      index[axis] = 0;
    }
    if (axis < 0) return;
  }
}
