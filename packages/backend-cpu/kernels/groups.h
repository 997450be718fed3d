// Rows cut into groups of at most `most`, of even height (8 = 4 + 4 rather than 6 + 2), each of which a tile in registers holds.
#ifndef OSTINATO_GROUPS_H
#define OSTINATO_GROUPS_H

#include "vector.h"

struct Groups {
  int count, height, taller;
};
INLINE struct Groups groups_of(int m, int most) {
  int count = (m + most - 1) / most;
  return (struct Groups){count, count ? m / count : 0, count ? m % count : 0};
}
INLINE int group_height(struct Groups g, int index) { return g.height + (index < g.taller); }

// CALL with the height as a constant, so that what it inlines keeps its rows in registers. Heights up to 8 where a tile has
// that many rows.
#if defined(__aarch64__)
#define MORE_HEIGHTS(CALL) case 8: CALL(8); break; case 7: CALL(7); break;
#else
#define MORE_HEIGHTS(CALL)
#endif
#define FOR_HEIGHT(height, CALL) \
  switch (height) {              \
    MORE_HEIGHTS(CALL)           \
    case 6: CALL(6); break;      \
    case 5: CALL(5); break;      \
    case 4: CALL(4); break;      \
    case 3: CALL(3); break;      \
    case 2: CALL(2); break;      \
    default: CALL(1); break;     \
  }

#endif
