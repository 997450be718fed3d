// The tile of a product that stays in registers: TILE_ROWS rows of TILE_COLUMNS floats.
#ifndef OSTINATO_TILE_H
#define OSTINATO_TILE_H

#include "groups.h"

// Accumulators + vectors of B + 1 broadcast of A fit the registers: 16 of V8 and of AVX2, 32 of AVX-512 and NEON.
#if W == 16
#define TILE_ROWS 6
#define TILE_VECTORS 4
#elif defined(__aarch64__)
#define TILE_ROWS 8
#define TILE_VECTORS 3
#else
#define TILE_ROWS 6
#define TILE_VECTORS 2
#endif
#define TILE_COLUMNS (W * TILE_VECTORS)

// LLVM would hoist the broadcasts of all rows out of the row loop, needing more than 16 registers; this keeps the products
// of one row together.
#if defined(__wasm__)
#define PIN(row) __asm__ volatile("" : "+r"((row)[0]), "+r"((row)[1]))
#else
#define PIN(row)
#endif

// A row of a tile to its place in C, of which `columns` are left.
INLINE void finish_row(float *c, const vec *sums, int columns, int accumulate) {
  UNROLL_ALL
  for (int v = 0; v < TILE_VECTORS; v++, c += W, columns -= W) {
    if (columns >= W) store(c, accumulate ? load(c) + sums[v] : sums[v]);
    else if (columns > 0) store_some(c, accumulate ? load_some(c, columns) + sums[v] : sums[v], columns);
  }
}

#endif
