// Comparisons, choices by them, and conversions between float32, int32 and bool. A bool is a byte, 0 or 1.
#include "broadcast.h"

typedef unsigned char byte_vec __attribute__((vector_size(W)));

INLINE ivec load_bytes(const unsigned char *p, int lanes) {
  byte_vec bytes = {0};
  if (lanes >= W) __builtin_memcpy(&bytes, p, W);
  else
    for (int i = 0; i < lanes; i++) bytes[i] = p[i];
  return __builtin_convertvector(bytes, ivec);
}

INLINE void store_bytes(unsigned char *p, ivec x, int lanes) {
  byte_vec bytes = __builtin_convertvector(x, byte_vec);
  if (lanes >= W) __builtin_memcpy(p, &bytes, W);
  else
    for (int i = 0; i < lanes; i++) p[i] = bytes[i];
}

enum Comparison { EQUAL, NOT_EQUAL, LESS, LESS_EQUAL };

INLINE ivec compare_lanes(int operation, vec a, vec b) {
  switch (operation) {
    case EQUAL: return a == b;
    case NOT_EQUAL: return a != b;
    case LESS: return a < b;
    default: return a <= b;
  }
}

// Column strides are constants where this is inlined.
INLINE void compare_row(int operation, const float *a, int a_column, const float *b, int b_column, unsigned char *out, int columns) {
  vec a_all = load_splat(a), b_all = load_splat(b);
  int j = 0;
  for (; j + W <= columns; j += W)
    store_bytes(out + j, compare_lanes(operation, a_column ? load(a + j) : a_all, b_column ? load(b + j) : b_all) & 1, W);
  if (j < columns) {
    int lanes = columns - j;
    vec x = a_column ? load_lanes(a + j, lanes) : a_all, y = b_column ? load_lanes(b + j, lanes) : b_all;
    store_bytes(out + j, compare_lanes(operation, x, y) & 1, lanes);
  }
}

INLINE void compare_block(int operation, const float *a, const float *b, unsigned char *out, struct Block block,
                          const int *row, const int *column) {
  for (int i = 0; i < block.rows; i++, a += row[1], b += row[2], out += column[0]) {
    if (column[1] && column[2]) compare_row(operation, a, 1, b, 1, out, block.columns);
    else if (column[1]) compare_row(operation, a, 1, b, 0, out, block.columns);
    else if (column[2]) compare_row(operation, a, 0, b, 1, out, block.columns);
    else compare_row(operation, a, 0, b, 0, out, block.columns);
  }
}

// out = a ∘ b as bools. With a NaN on either side only NOT_EQUAL holds.
EXPORT void compare(int operation, const float *a, const float *b, unsigned char *out, const int *plan, int rank,
                    int thread, int threads, int *shared) {
  struct Team team = {thread, threads, shared};
  struct Range part = share(&team, blocks_of(plan, rank), 1);
  const int *row = plan + 3 * (rank - 2), *column = row + 3;
  for (int index = part.first; index < part.last; index++) {
    struct Block block = block_at(plan, rank, index);
    switch (operation) {
#define CASE(OPERATION) \
  case OPERATION: compare_block(OPERATION, a + block.a, b + block.b, out + block.out, block, row, column); break;
      CASE(EQUAL) CASE(NOT_EQUAL) CASE(LESS) CASE(LESS_EQUAL)
#undef CASE
    }
  }
}

enum Logical { AND, OR, NOT };

// out = a ∘ b of bools; NOT looks at a only.
EXPORT void logical(int operation, const unsigned char *a, const unsigned char *b, unsigned char *out, const int *plan, int rank,
                    int thread, int threads, int *shared) {
  struct Team team = {thread, threads, shared};
  struct Range part = share(&team, blocks_of(plan, rank), 1);
  const int *row = plan + 3 * (rank - 2), *column = row + 3;
  for (int index = part.first; index < part.last; index++) {
    struct Block block = block_at(plan, rank, index);
    for (int i = 0; i < block.rows; i++) {
      const unsigned char *x = a + block.a + (long long)i * row[1], *y = b + block.b + (long long)i * row[2];
      unsigned char *to = out + block.out + (usize)i * column[0];
      for (int j = 0; j < block.columns; j++) {
        unsigned char left = x[j * column[1]], right = y[j * column[2]];
        to[j] = operation == NOT ? !left : operation == AND ? (left ? right : 0) : (left ? left : right);
      }
    }
  }
}

// out = condition ? yes : no. Values of 4 bytes, of whatever type: nothing is computed.
EXPORT void select_words(const unsigned char *condition, const float *yes, const float *no, float *out, usize size,
                         int thread, int threads, int *shared) {
  struct Team team = {thread, threads, shared};
  struct Range part = share(&team, (int)size, 64);
  for (int i = part.first; i < part.last; i += W) {
    int lanes = smaller(W, part.last - i);
    store_lanes(out + i, choose(load_bytes(condition + i, lanes) == 1, load_lanes(yes + i, lanes), load_lanes(no + i, lanes)), lanes);
  }
}

enum Conversion { BOOL_TO_FLOAT, BOOL_TO_INT, FLOAT_TO_INT, INT_TO_FLOAT };

// The whole number of x modulo 2³², as a store into an Int32Array; 0 for what is not finite. For |x| ≥ 2³¹ or NaN.
INLINE int wrapped(float x) {
  unsigned bits;
  __builtin_memcpy(&bits, &x, 4);
  unsigned shift = (bits >> 23 & 255) - 150, whole = shift < 32 ? ((bits & 0x7fffff) | 0x800000) << shift : 0;
  return (int)(bits >> 31 ? 0 - whole : whole);
}

INLINE ivec whole_lanes(vec x) {
  ivec result = to_integer(x), outside = ~(absolute(x) < splat(2147483648.0f));
  int any = 0;
  for (int i = 0; i < W; i++) any |= outside[i];
  if (any)
    for (int i = 0; i < W; i++)
      if (outside[i]) result[i] = wrapped(x[i]);
  return result;
}

INLINE vec convert_lanes(int operation, const void *x, int i, int lanes) {
  switch (operation) {
    case BOOL_TO_FLOAT: return __builtin_convertvector(load_bytes((const unsigned char *)x + i, lanes), vec);
    case BOOL_TO_INT: return (vec)load_bytes((const unsigned char *)x + i, lanes);
    case FLOAT_TO_INT: return (vec)whole_lanes(load_lanes((const float *)x + i, lanes));
    default: return __builtin_convertvector((ivec)load_lanes((const float *)x + i, lanes), vec);
  }
}

INLINE void convert_all(int operation, const void *x, float *out, struct Range part) {
  int i = part.first;
  for (; i + W <= part.last; i += W) store(out + i, convert_lanes(operation, x, i, W));
  if (i < part.last) store_lanes(out + i, convert_lanes(operation, x, i, part.last - i), part.last - i);
}

EXPORT void convert(int operation, const void *x, float *out, usize size, int thread, int threads, int *shared) {
  struct Team team = {thread, threads, shared};
  struct Range part = share(&team, (int)size, 64);
  switch (operation) {
#define CASE(OPERATION) case OPERATION: convert_all(OPERATION, x, out, part); break;
    CASE(BOOL_TO_FLOAT) CASE(BOOL_TO_INT) CASE(FLOAT_TO_INT) CASE(INT_TO_FLOAT)
#undef CASE
  }
}

// out[outer, inner] = whether any x[outer, j, inner] is true, whether all are where `all`.
EXPORT void any_all(int all, const unsigned char *x, unsigned char *out, int outer, int middle, int inner, int thread,
                    int threads, int *shared) {
  struct Team team = {thread, threads, shared};
  struct Area part = share_area(&team, outer, inner);
  for (int i = part.rows.first; i < part.rows.last; i++) {
    const unsigned char *source = x + (usize)i * middle * inner;
    unsigned char *row = out + (usize)i * inner;
    if (inner == 1) {
      unsigned char any = 0, every = 1;
      for (int k = 0; k < middle; k++) any |= source[k], every &= source[k];
      if (part.columns.last > part.columns.first) *row = all ? every : any;
      continue;
    }
    for (int j = part.columns.first; j < part.columns.last; j++) row[j] = source[j];
    for (int k = 1; k < middle; k++) {
      source += inner;
      if (all)
        for (int j = part.columns.first; j < part.columns.last; j++) row[j] &= source[j];
      else
        for (int j = part.columns.first; j < part.columns.last; j++) row[j] |= source[j];
    }
  }
}
