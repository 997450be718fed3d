// Matrix products after Goto & van de Geijn, "Anatomy of High-Performance Matrix Multiplication" (2008): blocks of both
// factors are packed so that the innermost loop reads them in order, and a tile of C stays in registers.
#include "gemm.h"
#include "thin-product.h"
#include "tile.h"

// A panel of B (BLOCK_DEPTH × TILE_COLUMNS floats) stays in the first-level cache, a block of A in the second.
#define BLOCK_DEPTH 512
#define BLOCK_ROWS 96
#define BLOCK_COLUMNS 1024

// Group of rows, interleaved: packed[k][row]. `rows` is a constant where this is inlined.
INLINE void pack_group(int rows, const float *a, int a_row, int a_column, float *packed, int depth) {
  for (int k = 0; k < depth; k++, a += a_column, packed += rows)
    for (int i = 0; i < rows; i++) packed[i] = a[i * a_row];
}

INLINE void pack_gathered_group(int rows, const float *const *a, int offset, float *packed, int depth) {
  for (int k = 0; k < depth; k++, packed += rows)
    for (int i = 0; i < rows; i++) packed[i] = a[i][offset + k];
}

static void pack_left(const float *a, int a_row, int a_column, float *packed, int m, int depth) {
  struct Groups groups = groups_of(m, TILE_ROWS);
  for (int g = 0; g < groups.count; g++) {
    int height = group_height(groups, g);
#define CALL(rows) pack_group(rows, a, a_row, a_column, packed, depth)
    FOR_HEIGHT(height, CALL)
#undef CALL
    a += height * a_row;
    packed += height * depth;
  }
}

// Panels of TILE_COLUMNS columns: packed[panel][k][column], the last one filled up with zeros.
static void pack_right(const float *b, int b_row, int b_column, float *packed, int depth, int n) {
  for (int j = 0; j < n; j += TILE_COLUMNS) {
    int columns = smaller(TILE_COLUMNS, n - j);
    const float *source = b + j * b_column;
    if (columns == TILE_COLUMNS && b_column == 1) {
      for (int k = 0; k < depth; k++, source += b_row, packed += TILE_COLUMNS)
        for (int v = 0; v < TILE_COLUMNS; v += W) store(packed + v, load(source + v));
#if TILE_COLUMNS > 16
    } else if (columns == TILE_COLUMNS && b_row == 1) {
      // A cache line of each column at a time: columns a power of two apart share few lines of the cache.
      int k = 0;
      for (; k + 16 <= depth; k += 16, packed += 16 * TILE_COLUMNS)
        for (int i = 0; i < TILE_COLUMNS; i++)
          for (int d = 0; d < 16; d++) packed[d * TILE_COLUMNS + i] = source[i * b_column + k + d];
      for (; k < depth; k++, packed += TILE_COLUMNS)
        for (int i = 0; i < TILE_COLUMNS; i++) packed[i] = source[i * b_column + k];
#endif
    } else if (columns == TILE_COLUMNS) {
      for (int k = 0; k < depth; k++, source += b_row, packed += TILE_COLUMNS)
        for (int i = 0; i < TILE_COLUMNS; i++) packed[i] = source[i * b_column];
    } else {
      for (int k = 0; k < depth; k++, source += b_row, packed += TILE_COLUMNS)
        for (int i = 0; i < TILE_COLUMNS; i++) packed[i] = i < columns ? source[i * b_column] : 0.0f;
    }
  }
}

// One tile: `rows` × `panels` panels of B, the second panel `depth * TILE_COLUMNS` floats behind the first.
INLINE void multiply_tile(int rows, int panels, const float *a, const float *b, int depth, float *c, int c_stride,
                          int columns, int accumulate) {
  const float *b2 = b + depth * TILE_COLUMNS;
  vec sums[TILE_ROWS][2 * TILE_VECTORS];
  for (int i = 0; i < rows; i++)
    for (int v = 0; v < panels * TILE_VECTORS; v++) sums[i][v] = splat(0.0f);
  UNROLL_NEVER
  for (int k = 0; k < depth; k++) {
    vec x[2 * TILE_VECTORS];
    for (int v = 0; v < TILE_VECTORS; v++) {
      x[v] = load(b + v * W);
      if (panels == 2) x[TILE_VECTORS + v] = load(b2 + v * W);
    }
    for (int i = 0; i < rows; i++) {
      vec s = load_splat(a + i);
      for (int v = 0; v < TILE_VECTORS; v++) sums[i][v] = multiply_add(s, x[v], sums[i][v]);
      PIN(sums[i]);
      if (panels == 2) {
        for (int v = TILE_VECTORS; v < 2 * TILE_VECTORS; v++) sums[i][v] = multiply_add(s, x[v], sums[i][v]);
        PIN(sums[i] + TILE_VECTORS);
      }
    }
    a += rows;
    b += TILE_COLUMNS;
    b2 += TILE_COLUMNS;
  }
  for (int i = 0; i < rows; i++) {
    float *row = c + i * c_stride;
    finish_row(row, sums[i], smaller(columns, TILE_COLUMNS), accumulate);
    if (panels == 2) finish_row(row + TILE_COLUMNS, sums[i] + TILE_VECTORS, columns - TILE_COLUMNS, accumulate);
  }
}

// Packed block of A (m rows) times packed panels of B (n columns), both `depth` deep.
static void multiply_block(const float *a, const float *b, float *c, int c_stride, int m, int depth, int n, int accumulate) {
  struct Groups groups = groups_of(m, TILE_ROWS);
  int j = 0;
  // Few rows leave most accumulators idle: take two panels at once, where the panels are narrow.
  if (m <= 3 && TILE_VECTORS < 4) {
    for (; j + TILE_COLUMNS < n; j += 2 * TILE_COLUMNS) {
      int columns = smaller(2 * TILE_COLUMNS, n - j);
      const float *panel = b + j * depth;
#define CALL(rows) multiply_tile(rows, 2, a, panel, depth, c + j, c_stride, columns, accumulate)
      switch (m) {
        case 3: CALL(3); break;
        case 2: CALL(2); break;
        default: CALL(1); break;
      }
#undef CALL
    }
  }
  for (; j < n; j += TILE_COLUMNS) {
    const float *panel = b + j * depth, *group = a;
    float *target = c + j;
    int columns = smaller(TILE_COLUMNS, n - j);
    for (int g = 0; g < groups.count; g++) {
      int height = group_height(groups, g);
#define CALL(rows) multiply_tile(rows, 1, group, panel, depth, target, c_stride, columns, accumulate)
      FOR_HEIGHT(height, CALL)
#undef CALL
      group += height * depth;
      target += height * c_stride;
    }
  }
}

INLINE int whole_panels(int n) { return (n + TILE_COLUMNS - 1) / TILE_COLUMNS * TILE_COLUMNS; }

usize packed_right_size(int k, int n) { return (usize)k * whole_panels(n); }

void pack_left_factor(const float *a, int a_row, int a_column, float *packed, int m, int k) {
  pack_left(a, a_row, a_column, packed, m, k);
}

void pack_right_factor(const float *b, int b_row, int b_column, float *packed, int k, int n) {
  pack_right(b, b_row, b_column, packed, k, n);
}

void multiply_packed(const float *a, const float *b, float *c, int c_stride, int m, int k, int n, int accumulate) {
  multiply_block(a, b, c, c_stride, m, k, n, accumulate);
}

usize product_work(void) { return (BLOCK_ROWS + BLOCK_COLUMNS) * BLOCK_DEPTH; }

struct Range share_columns(const struct Team *team, int n) { return share(team, n, TILE_COLUMNS); }

// Rows and columns of C of one product. The way it goes depends on the sizes of the whole product alone.
static void multiply_part(struct Range rows, struct Range columns, const float *a, int a_row, int a_column, const float *b,
                          int b_row, int b_column, float *c, int c_stride, int m, int k, int n, int accumulate, float *work) {
  int part_rows = rows.last - rows.first, part_columns = columns.last - columns.first;
  if (part_rows <= 0 || part_columns <= 0) return;
  a += rows.first * a_row;
  b += columns.first * b_column;
  c += rows.first * c_stride + columns.first;
  if (is_thin(m, a_column, b_row, b_column)) {
    multiply_thin(a, a_row, a_column, b, b_row, b_column, c, c_stride, part_rows, k, part_columns, accumulate);
    return;
  }
  if (n < m && is_thin(n, b_row, a_column, a_row)) {
    multiply_thin_columns(a, a_row, a_column, b, b_row, b_column, c, c_stride, part_rows, k, part_columns, accumulate, work);
    return;
  }
  if (k == 0 && !accumulate)
    for (int i = 0; i < part_rows; i++) zero_floats(c + i * c_stride, part_columns);
  float *packed_a = work, *packed_b = work + BLOCK_ROWS * BLOCK_DEPTH;
  for (int n0 = 0; n0 < part_columns; n0 += BLOCK_COLUMNS) {
    int block_columns = smaller(BLOCK_COLUMNS, part_columns - n0);
    for (int k0 = 0; k0 < k; k0 += BLOCK_DEPTH) {
      int depth = smaller(BLOCK_DEPTH, k - k0);
      pack_right(b + k0 * b_row + n0 * b_column, b_row, b_column, packed_b, depth, block_columns);
      for (int m0 = 0; m0 < part_rows; m0 += BLOCK_ROWS) {
        int block_rows = smaller(BLOCK_ROWS, part_rows - m0);
        pack_left(a + m0 * a_row + k0 * a_column, a_row, a_column, packed_a, block_rows, depth);
        multiply_block(packed_a, packed_b, c + m0 * c_stride + n0, c_stride, block_rows, depth, block_columns,
                       accumulate || k0 > 0);
      }
    }
  }
}

void multiply(const struct Team *team, const float *a, int a_row, int a_column, const float *b, int b_row, int b_column,
              float *c, int c_stride, int m, int k, int n, int accumulate, float *work) {
  struct Range rows = {0, m}, columns = {0, n};
  // Every thread packs the factor that is not cut, so the larger one is. Thin products are cut between vectors.
  if (m > n) rows = share(team, m, n <= THIN ? W : TILE_ROWS);
  else columns = share_columns(team, n);
  multiply_part(rows, columns, a, a_row, a_column, b, b_row, b_column, c, c_stride, m, k, n, accumulate, work);
}

EXPORT usize gemm_work(int threads) { return threads * product_work(); }

// `batch` products; product i has its factors and its result `offsets[3i]`, `[3i + 1]` and `[3i + 2]` floats from a, b and c.
EXPORT void gemm(const float *a, int a_row, int a_column, const float *b, int b_row, int b_column, float *c, int m, int k,
                 int n, int batch, const int *offsets, float *work, int thread, int threads, int *shared) {
  struct Team team = {thread, threads, shared};
  int whole = batch >= 2 * threads;  // each thread takes whole products rather than a part of each
  struct Range mine = whole ? share(&team, batch, 1) : (struct Range){0, batch};
  work += thread * product_work();
  for (int i = mine.first; i < mine.last; i++) {
    const int *at = offsets + 3 * i;
    multiply(whole ? &alone : &team, a + at[0], a_row, a_column, b + at[1], b_row, b_column, c + at[2], n, m, k, n, 0, work);
  }
}

usize weights_space(int k, int n, int uses) { return uses > few_uses ? (usize)k * whole_panels(n) : 0; }

struct Weights prepare_weights(const struct Team *team, const float *source, int row, int column, int k, int n, int uses,
                               float *space) {
  struct Weights weights = {source, uses > few_uses ? space : 0, row, column, k, n};
  if (!weights.packed) return weights;
  struct Range mine = share_columns(team, n);
  for (int k0 = 0; k0 < k; k0 += BLOCK_DEPTH) {
    int depth = smaller(BLOCK_DEPTH, k - k0);
    pack_right(source + k0 * row + mine.first * column, row, column, space + (usize)depth * mine.first, depth,
               mine.last - mine.first);
    space += (usize)depth * whole_panels(n);
  }
  return weights;
}

usize multiply_rows_work(int m, int k) { return product_work() + (usize)m * k; }

void multiply_rows(const struct Team *team, const float *const *rows, const struct Weights *weights, float *c, int c_stride,
                   int m, float *work) {
  int k = weights->k, n = weights->n;
  struct Range mine = share_columns(team, n);
  if (!weights->packed) {
    float *gathered = work + product_work();
    for (int i = 0; i < m; i++) copy_floats(gathered + i * k, rows[i], k);
    multiply_part((struct Range){0, m}, mine, gathered, k, 1, weights->source, weights->row, weights->column, c, c_stride, m,
                  k, n, 0, work);
    return;
  }
  if (mine.first == mine.last) return;
  struct Groups groups = groups_of(m, TILE_ROWS);
  const float *packed = weights->packed;
  for (int k0 = 0; k0 < k; k0 += BLOCK_DEPTH) {
    int depth = smaller(BLOCK_DEPTH, k - k0);
    float *group = work;
    for (int g = 0, first = 0; g < groups.count; g++) {
      int height = group_height(groups, g);
#define CALL(count) pack_gathered_group(count, rows + first, k0, group, depth)
      FOR_HEIGHT(height, CALL)
#undef CALL
      first += height;
      group += height * depth;
    }
    multiply_block(work, packed + (usize)depth * mine.first, c + mine.first, c_stride, m, depth, mine.last - mine.first, k0 > 0);
    packed += (usize)depth * whole_panels(n);
  }
}
