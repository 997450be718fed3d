// Arithmetic and functions on every element. A lane's bits do not depend on its place, so threads share the elements.
#include "broadcast.h"
#include "vector-math.h"

enum { share_unit = 16 };  // floats of a cache line

enum Binary { ADD, SUBTRACT, MULTIPLY, DIVIDE, MAXIMUM, MINIMUM, SQUARED_DIFFERENCE, PRELU, ELU_SLOPE };

INLINE vec binary_lanes(int operation, vec a, vec b) {
  switch (operation) {
    case ADD: return a + b;
    case SUBTRACT: return a - b;
    case MULTIPLY: return a * b;
    case DIVIDE: return a / b;
    case MAXIMUM: return maximum(a, b);
    case SQUARED_DIFFERENCE: return (a - b) * (a - b);
    case PRELU: return choose(a < splat(0.0f), b * a, a);
    // a is the slope of the output, b what ELU gave: eˣ − 1 below 0, where its own slope is eˣ.
    case ELU_SLOPE: return choose(b >= splat(0.0f), a, a * (b + splat(1.0f)));
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

// Rows of an output, `stride` floats apart.
struct Rectangle {
  float *out;
  int stride, rows, columns;
};

INLINE void binary_rows_of(int operation, const float *a, int a_row, int a_column, const float *b, int b_row, int b_column,
                           struct Rectangle place) {
  float *out = place.out;
  int columns = place.columns;
  for (int i = 0; i < place.rows; i++, a += a_row, b += b_row, out += place.stride) {
    if (a_column && b_column) binary_row(operation, a, 1, b, 1, out, columns);
    else if (a_column) binary_row(operation, a, 1, b, 0, out, columns);
    else if (b_column) binary_row(operation, a, 0, b, 1, out, columns);
    else binary_row(operation, a, 0, b, 0, out, columns);
  }
}

static void binary_rows(int operation, const float *a, int a_row, int a_column, const float *b, int b_row, int b_column,
                        struct Rectangle place) {
  switch (operation) {
#define CASE(OPERATION) case OPERATION: binary_rows_of(OPERATION, a, a_row, a_column, b, b_row, b_column, place); break;
    CASE(ADD) CASE(SUBTRACT) CASE(MULTIPLY) CASE(DIVIDE) CASE(MAXIMUM) CASE(MINIMUM)
    CASE(SQUARED_DIFFERENCE) CASE(PRELU) CASE(ELU_SLOPE)
#undef CASE
  }
}

// out[rows, columns] = a ∘ b, operands read through strides, which covers scalars, rows and columns broadcast.
EXPORT void binary(int operation, const float *a, int a_row, int a_column, const float *b, int b_row, int b_column,
                   float *out, int rows, int columns, int thread, int threads, int *shared) {
  struct Team team = {thread, threads, shared};
  struct Range part = rows > columns ? share(&team, rows, 1) : share(&team, columns, share_unit);
  int row = rows > columns ? part.first : 0, column = rows > columns ? 0 : part.first, count = part.last - part.first;
  const float *left = a + (usize)row * a_row + column * a_column, *right = b + (usize)row * b_row + column * b_column;
  struct Rectangle place = {out + (usize)row * columns + column, columns, rows > columns ? count : rows,
                            rows > columns ? columns : count};
  binary_rows(operation, left, a_row, a_column, right, b_row, b_column, place);
}

// out = a ∘ b of any shapes.
EXPORT void binary_broadcast(int operation, const float *a, const float *b, float *out, const int *plan, int rank,
                             int thread, int threads, int *shared) {
  struct Team team = {thread, threads, shared};
  struct Range part = share(&team, blocks_of(plan, rank), 1);
  const int *row = plan + 3 * (rank - 2), *column = row + 3;
  for (int index = part.first; index < part.last; index++) {
    struct Block block = block_at(plan, rank, index);
    struct Rectangle place = {out + block.out, column[0], block.rows, block.columns};
    binary_rows(operation, a + block.a, row[1], column[1], b + block.b, row[2], column[2], place);
  }
}

enum Unary {
  SQUARE, SQUARE_ROOT, EXPONENTIAL, TANH, SIGMOID, RELU, NEGATE, ABSOLUTE, GELU_ERF, GELU_TANH, RELU6, SILU, LOGARITHM,
  ERROR_FUNCTION, STEP, INVERSE_ROOT, RECIPROCAL, FLOOR, CEILING, SIGN, EXPONENTIAL_MINUS_1, LOGARITHM_OF_1_PLUS, ELU, SOFTPLUS
};

#define GELU_SCALE 0.7978845608028654f /* √(2/π) */
#define GELU_CUBIC 0.044715f

// The next whole number in a direction; its sign is that of x, also where it is 0.
INLINE vec whole(vec x, int direction) {
  vec n = nearest(x), next = n + splat((float)direction);
  ivec sign = (ivec)x & (ivec)splat(-0.0f);
  return (vec)((ivec)choose(direction < 0 ? n > x : n < x, next, n) | sign);
}

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
    case STEP: return choose(x == x, choose(x > splat(0.0f), splat(1.0f), splat(0.0f)), x);
    case RECIPROCAL: return splat(1.0f) / x;
    case FLOOR: return whole(x, -1);
    case CEILING: return whole(x, 1);
    case SIGN: return choose(x > splat(0.0f), splat(1.0f), choose(x < splat(0.0f), splat(-1.0f), splat(0.0f)));
    case EXPONENTIAL_MINUS_1: return vector_expm1(x);
    case LOGARITHM_OF_1_PLUS: return vector_log1p(x);
    case ELU: return choose(x >= splat(0.0f), x, vector_expm1(x));
    case SOFTPLUS: return maximum(x, splat(0.0f)) + vector_log1p(vector_exp(-absolute(x)));
    case INVERSE_ROOT: return splat(1.0f) / square_root(x);
    default: return minimum(maximum(x, splat(0.0f)), splat(6.0f));
  }
}

INLINE void unary_all(int operation, const float *x, float *out, usize size) {
  usize i = 0;
  for (; i + W <= size; i += W) store(out + i, unary_lanes(operation, load(x + i)));
  if (i < size) store_lanes(out + i, unary_lanes(operation, load_lanes(x + i, (int)(size - i))), (int)(size - i));
}

// x and out may be the same.
EXPORT void unary(int operation, const float *x, float *out, usize size, int thread, int threads, int *shared) {
  struct Team team = {thread, threads, shared};
  struct Range part = share(&team, (int)size, share_unit);
  x += part.first;
  out += part.first;
  size = part.last - part.first;
  switch (operation) {
#define CASE(OPERATION) case OPERATION: unary_all(OPERATION, x, out, size); break;
    CASE(SQUARE) CASE(SQUARE_ROOT) CASE(EXPONENTIAL) CASE(TANH) CASE(SIGMOID) CASE(RELU) CASE(NEGATE) CASE(ABSOLUTE)
    CASE(GELU_ERF) CASE(GELU_TANH) CASE(RELU6) CASE(SILU) CASE(LOGARITHM) CASE(ERROR_FUNCTION)
    CASE(STEP) CASE(INVERSE_ROOT) CASE(RECIPROCAL) CASE(FLOOR) CASE(CEILING) CASE(SIGN) CASE(EXPONENTIAL_MINUS_1)
    CASE(LOGARITHM_OF_1_PLUS) CASE(ELU) CASE(SOFTPLUS)
#undef CASE
  }
}

// Functions in pieces that numbers choose: CLIP to low … high, SLOPES `low` below 0 and 1 above, STEPS of `low` and 1.
enum Pieces { CLIP, SLOPES, STEPS };

INLINE vec piece_lanes(int operation, vec x, vec low, vec high) {
  switch (operation) {
    case CLIP: return minimum(maximum(x, low), high);
    case SLOPES: return choose(x < splat(0.0f), low * x, x);
    default: return choose(x == x, choose(x > splat(0.0f), splat(1.0f), low), x);
  }
}

EXPORT void pieces(int operation, const float *x, float *out, usize size, float low, float high,
                   int thread, int threads, int *shared) {
  struct Team team = {thread, threads, shared};
  struct Range part = share(&team, (int)size, share_unit);
  vec lower = splat(low), upper = splat(high);
  for (int i = part.first; i < part.last; i += W) {
    int lanes = smaller(W, part.last - i);
    vec value = load_lanes(x + i, lanes);
    vec result = operation == CLIP     ? piece_lanes(CLIP, value, lower, upper)
                 : operation == SLOPES ? piece_lanes(SLOPES, value, lower, upper)
                                       : piece_lanes(STEPS, value, lower, upper);
    store_lanes(out + i, result, lanes);
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

EXPORT void gelu_backward(int tanh_form, const float *x, const float *d_output, float *d_input, usize size,
                          int thread, int threads, int *shared) {
  struct Team team = {thread, threads, shared};
  struct Range part = share(&team, (int)size, share_unit);
  for (int i = part.first; i < part.last; i += W) {
    int lanes = smaller(W, part.last - i);
    vec slope = tanh_form ? gelu_slope(1, load_lanes(x + i, lanes)) : gelu_slope(0, load_lanes(x + i, lanes));
    store_lanes(d_input + i, slope * load_lanes(d_output + i, lanes), lanes);
  }
}

// With s = σ(x):  d(x·s) = s + x·s·(1−s).
EXPORT void silu_backward(const float *x, const float *d_output, float *d_input, usize size,
                          int thread, int threads, int *shared) {
  struct Team team = {thread, threads, shared};
  struct Range part = share(&team, (int)size, share_unit);
  for (int i = part.first; i < part.last; i += W) {
    int lanes = smaller(W, part.last - i);
    vec value = load_lanes(x + i, lanes), s = vector_sigmoid(value), slope = s + value * s * (splat(1.0f) - s);
    store_lanes(d_input + i, slope * load_lanes(d_output + i, lanes), lanes);
  }
}
