// Two operands of any shapes that broadcast together. `plan` holds for each axis of the result its size and the steps of a and b
// along it, 0 where an operand is repeated; those of the last axis are 0 or 1. Results are cut into blocks, which threads share.
#ifndef OSTINATO_BROADCAST_H
#define OSTINATO_BROADCAST_H

#include "team.h"

enum { block_rows = 32, block_columns = 8192 };

// A part of the last two axes: where it begins in a, b and the result.
struct Block {
  long long a, b;
  usize out;
  int rows, columns;
};

INLINE int bands_of(int size, int band) { return (size + band - 1) / band; }

INLINE int blocks_of(const int *plan, int rank) {
  const int *row = plan + 3 * (rank - 2), *column = row + 3;
  int count = bands_of(row[0], block_rows) * bands_of(column[0], block_columns);
  for (int axis = 0; axis < rank - 2; axis++) count *= plan[3 * axis];
  return count;
}

INLINE struct Block block_at(const int *plan, int rank, int index) {
  const int *row = plan + 3 * (rank - 2), *column = row + 3;
  int row_bands = bands_of(row[0], block_rows), column_bands = bands_of(column[0], block_columns);
  int j = index % column_bands * block_columns, rest = index / column_bands;
  int i = rest % row_bands * block_rows;
  rest /= row_bands;
  struct Block block = {
    (long long)i * row[1] + (long long)j * column[1], (long long)i * row[2] + (long long)j * column[2],
    ((usize)rest * row[0] + i) * column[0] + j, smaller(block_rows, row[0] - i), smaller(block_columns, column[0] - j)};
  for (int axis = rank - 3; axis >= 0; axis--) {
    int at = rest % plan[3 * axis];
    rest /= plan[3 * axis];
    block.a += (long long)at * plan[3 * axis + 1];
    block.b += (long long)at * plan[3 * axis + 2];
  }
  return block;
}

#endif
