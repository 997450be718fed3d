// What the passes of attention share: sizes, who sees which keys, how the rows of queries are cut into blocks, scores.
#ifndef OSTINATO_ATTENTION_H
#define OSTINATO_ATTENTION_H

#include "dropout.h"
#include "vector.h"

// Rows and keys of a tile of scores: it, and the factors of its products, stay in the second-level cache.
#define QUERY_BLOCK 64
#define KEY_BLOCK 64
// Where the rows of queries, keys, values or outputs lie: distances in floats. A row itself is contiguous.
struct Place {
  int batch, head, row;
};
struct Places {
  struct Place query, key, value, output;
};
struct Attention {
  const float *query, *key, *value, *bias;
  const int *lengths;  // keys of each batch row, 0 when all have `key_time`
  const struct Places *places;
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

// Whether the rows of all query heads of a group are one matrix: then one head follows behind the last row of the one before.
INLINE int one_matrix(const struct Place *p, int time) { return p->head == time * p->row; }
INLINE int together(const struct Attention *a) {
  return group_size(a) == 1 ||
         (one_matrix(&a->places->query, a->query_time) && one_matrix(&a->places->output, a->query_time));
}
// Offset of the head `head` of all heads over the batch, of `heads` in each row of it.
INLINE usize head_at(const struct Place *p, int head, int heads) {
  return (usize)(head / heads) * p->batch + (usize)(head % heads) * p->head;
}
// Offset of row r of the queries (or outputs) of the key head `head`, which counts over the batch.
INLINE usize query_at(const struct Attention *a, const struct Place *p, int head, int r) {
  int query_head = head % a->key_heads * group_size(a) + r / a->query_time;
  return (usize)(head / a->key_heads) * p->batch + (usize)query_head * p->head + (usize)(r % a->query_time) * p->row;
}

// Keys that a query sees: those before `length` and, under the causal mask, up to time + offset.
INLINE int visible_keys(const struct Attention *a, int length, int time) {
  return a->causal ? smaller(length, larger(0, time + a->offset + 1)) : length;
}
INLINE int key_length(const struct Attention *a, int batch) { return a->lengths ? a->lengths[batch] : a->key_time; }
// Keys that any query sees: the last one sees the most.
INLINE int seen_keys(const struct Attention *a, int length) { return visible_keys(a, length, a->query_time - 1); }

// A block of the rows of one key head: rows of one query head, or several whole heads where they are short and lie together.
struct QueryBlock {
  int first, rows, last_time;
};
INLINE int blocks_of_head(const struct Attention *a) { return (a->query_time + QUERY_BLOCK - 1) / QUERY_BLOCK; }
INLINE int heads_of_block(const struct Attention *a) {
  return together(a) ? smaller(group_size(a), QUERY_BLOCK / a->query_time) : 1;
}
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

INLINE ivec lanes_below(int count) { return (ivec){LANES} < count - (ivec){0}; }

// scale·s + bias of W keys from key j on, of which the row sees `count`: −∞ for those beyond.
INLINE vec score_lanes(const struct Attention *a, const float *s, const float *bias, int j, int count) {
  vec score = load(s + j) * splat(a->scale), least = splat(-__builtin_inff());
  if (bias) {
    vec added = a->bias_key ? load_lanes(bias + j, count - j) : load_splat(bias);
    score = choose(added == least, least, score + added);  // hidden, even where the product is NaN
  }
  return count - j >= W ? score : choose(lanes_below(count - j), score, least);
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
