// What the passes of attention share: sizes, who sees which keys, how the rows of queries are cut into blocks, scores.
#ifndef OSTINATO_ATTENTION_H
#define OSTINATO_ATTENTION_H

#include "dropout.h"
#include "vector.h"

// Rows and keys of a tile of scores: it, and the factors of its products, stay in the second-level cache.
#define QUERY_BLOCK 64
#define KEY_BLOCK 64
struct Attention {
  const float *query, *key, *value, *bias;
  const int *lengths;  // keys of each batch row, 0 when all have `key_time`
  int batch, query_heads, key_heads, query_time, key_time, width, value_width;
  int bias_batch, bias_head, bias_query, bias_key;  // strides, 0 where the bias is broadcast; bias_key is 0 or 1
  float scale;
  int causal, offset;  // the causal mask lets query i see the keys 0 … i + offset
  double rate;         // of dropout on the weights
  unsigned key0, key1;
};

INLINE int group_size(const struct Attention *a) { return a->query_heads / a->key_heads; }
INLINE int group_rows(const struct Attention *a) { return group_size(a) * a->query_time; }
INLINE int rounded_up(int count, int unit) { return (count + unit - 1) / unit * unit; }

// Keys that a query sees: those before `length` and, under the causal mask, up to time + offset.
INLINE int visible_keys(const struct Attention *a, int length, int time) {
  return a->causal ? smaller(length, larger(0, time + a->offset + 1)) : length;
}
INLINE int key_length(const struct Attention *a, int batch) { return a->lengths ? a->lengths[batch] : a->key_time; }
// Keys that any query sees: the last one sees the most.
INLINE int seen_keys(const struct Attention *a, int length) { return visible_keys(a, length, a->query_time - 1); }

// A block of the rows of one key head: rows of one query head, or several whole heads where they are short.
struct QueryBlock {
  int first, rows, last_time;
};
INLINE int blocks_of_head(const struct Attention *a) { return (a->query_time + QUERY_BLOCK - 1) / QUERY_BLOCK; }
INLINE int heads_of_block(const struct Attention *a) { return smaller(group_size(a), QUERY_BLOCK / a->query_time); }
static int query_blocks(const struct Attention *a) {
  if (a->query_time >= QUERY_BLOCK) return group_size(a) * blocks_of_head(a);
  return (group_size(a) + heads_of_block(a) - 1) / heads_of_block(a);
}
static struct QueryBlock query_block(const struct Attention *a, int index) {
  if (a->query_time >= QUERY_BLOCK) {
    int blocks = blocks_of_head(a), height = (a->query_time + blocks - 1) / blocks;
    int time = index % blocks * height, rows = smaller(height, a->query_time - time);
    return (struct QueryBlock){index / blocks * a->query_time + time, rows, time + rows - 1};
  }
  int rows = heads_of_block(a) * a->query_time, first = index * rows;
  return (struct QueryBlock){first, smaller(rows, group_rows(a) - first), a->query_time - 1};
}

// Where row r of a key head's queries lies: its bias for key 0, and its first weight among all weights of all heads.
struct Row {
  int time;
  usize bias;
  unsigned long long weight;
};
INLINE struct Row row_of(const struct Attention *a, int batch, int key_head, int r) {
  int head = key_head * group_size(a) + r / a->query_time, time = r % a->query_time;
  usize bias = (usize)batch * a->bias_batch + (usize)head * a->bias_head + (usize)time * a->bias_query;
  unsigned long long row = ((unsigned long long)batch * a->query_heads + head) * a->query_time + time;
  return (struct Row){time, bias, row * a->key_time};
}

static const int lane_numbers[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
INLINE ivec lanes_below(int count) {
  ivec bound = {0};
  return *(const ivec *)lane_numbers < bound + count;
}

// scale·s + bias of W keys from key j on; −∞ from key `count` on, so that whole vectors can be worked with after it.
INLINE vec score_lanes(const struct Attention *a, const float *s, const float *bias, int j, int count) {
  vec score = load(s + j) * splat(a->scale);
  if (bias) score += a->bias_key ? load_lanes(bias + j, count - j) : load_splat(bias);
  return count - j >= W ? score : choose(lanes_below(count - j), score, splat(-__builtin_inff()));
}

// Dropout's factors, 0 or 1/(1 − rate), of the weights of one row from key `first` on: `count`, rounded up to whole vectors.
INLINE const float *dropout_row(const struct Attention *a, struct Row row, int first, int count, float *space) {
  unsigned long long start = row.weight + first;
  int odd = (int)(start & 1);
  dropout_factors(space, start - odd, rounded_up(count, W) + odd, a->rate, a->key0, a->key1);
  return space + odd;
}
enum { factors_space = KEY_BLOCK + 4 * W };

#endif
