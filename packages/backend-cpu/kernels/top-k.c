// The largest values of each row, and their places.
#include "team.h"

// Integers in the order of floats by their bits: zeros of both signs are equal, NaN is behind everything.
INLINE ivec order_lanes(vec x) {
  ivec bits = (ivec)(x + splat(0.0f)), order = bits ^ ((bits >> 31) & 0x7fffffff), number = (ivec)(x == x);
  return (order & number) | (~number & (ivec)((uvec)(number ^ number) + 0x80000000u));
}
INLINE int order_of(float x) {
  int bits;
  if (x != x) return -0x7fffffff - 1;
  x += 0.0f;
  __builtin_memcpy(&bits, &x, 4);
  return bits ^ ((bits >> 31) & 0x7fffffff);
}
INLINE int any_lane(ivec mask) {
  int lanes[W], any = 0;
  __builtin_memcpy(lanes, &mask, sizeof(lanes));
  for (int i = 0; i < W; i++) any |= lanes[i];
  return any;
}

// A heap of the best so far, the worst of them first: that of the lowest order, of equals the last.
INLINE int is_worse(const int *orders, const int *places, int a, int b) {
  return orders[a] < orders[b] || (orders[a] == orders[b] && places[a] > places[b]);
}
INLINE void swap_integers(int *x, int a, int b) {
  int kept = x[a];
  x[a] = x[b];
  x[b] = kept;
}
static void sift(int *orders, int *places, int at, int count) {
  for (int child; (child = 2 * at + 1) < count; at = child) {
    if (child + 1 < count && is_worse(orders, places, child + 1, child)) child++;
    if (!is_worse(orders, places, child, at)) return;
    swap_integers(orders, at, child);
    swap_integers(places, at, child);
  }
}

// `orders` are the words of the values, which replace them at the end.
static void top_of_row(const float *x, int *orders, int *places, int size, int k) {
  for (int i = 0; i < k; i++) {
    orders[i] = order_of(x[i]);
    places[i] = i;
  }
  for (int i = k / 2 - 1; i >= 0; i--) sift(orders, places, i, k);
  for (int j = k; j < size;) {
    if (j + 4 * W <= size) {
      ivec better = {0};
      for (int v = 0; v < 4; v++) better |= (ivec)(order_lanes(load(x + j + v * W)) > (ivec)((better ^ better) + orders[0]));
      if (!any_lane(better)) {
        j += 4 * W;
        continue;
      }
    }
    // Of equals the first stays.
    for (int last = smaller(j + 4 * W, size); j < last; j++) {
      int order = order_of(x[j]);
      if (order <= orders[0]) continue;
      orders[0] = order;
      places[0] = j;
      sift(orders, places, 0, k);
    }
  }
  for (int last = k - 1; last > 0; last--) {
    swap_integers(orders, 0, last);
    swap_integers(places, 0, last);
    sift(orders, places, 0, last);
  }
  for (int i = 0; i < k; i++) __builtin_memcpy(orders + i, x + places[i], 4);
}

// values[rows, k] and places[rows, k] of the k largest of x[rows, size] in falling order, of equals the first. Threads share rows.
EXPORT void top_k(const float *x, int *values, int *places, int rows, int size, int k, int thread, int threads, int *shared) {
  struct Team team = {thread, threads, shared};
  struct Range part = share(&team, rows, 1);
  for (int i = part.first; i < part.last; i++)
    top_of_row(x + (usize)i * size, values + (usize)i * k, places + (usize)i * k, size, k);
}
