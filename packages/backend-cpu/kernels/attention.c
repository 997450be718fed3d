// Scaled dot-product attention by blocks: O = softmax(scale·Q·Kᵀ + bias)·V without a matrix of all scores. A block of queries
// meets the keys block by block; its softmax is carried along as the largest score so far, the sum of exp(score − largest) and
// the output under that sum, which are rescaled when a larger score comes (Rabe & Staats 2021, arXiv:2112.05682; Dao et al.
// 2022, arXiv:2205.14135; Dao 2023, arXiv:2307.08691). The backward pass makes the weights anew, block by block, from the
// largest score and the sum: their logarithm alone would lose the digits of a softmax over scores of thousands.
//
// The rows of the query heads that share a key head are counted through: row r is head r / query_time, time r % query_time. Each row sees the first so many keys and no others (`visible_keys`).
//
// All work is in items that write to places of their own, which the threads of a team share out and never meet over: forward
// (batch row, key head, block of query rows), backward (batch row, key head). Only a bias that is broadcast over batch or heads
// gets its gradient from several items: those stay with one thread, in one order.
#include "attention.h"
#include "gemm.h"
#include "thin-product.h"
#include "vector-math.h"

// One row of a tile: from products s = q·k to exp(score − largest), zero from `count` on. `largest` and `sum` go along.
// Returns the factor that rescales what was summed up before.
static float softmax_row(const struct Attention *a, float *s, const float *bias, int count, int columns, float *largest,
                         float *sum) {
  vec best = splat(-__builtin_inff());
  for (int j = 0; j < count; j += W) {
    vec score = score_lanes(a, s, bias, j, count);
    store(s + j, score);
    best = choose(best < score, score, best);  // not `maximum`: NaN makes the sum NaN anyway
  }
  float before = *largest, tile = max_lanes(best), now = tile > before ? tile : before;
  vec shift = splat(now > -__builtin_inff() ? now : 0.0f), total = splat(0.0f);
  int j = 0;
  for (; j < count; j += W) {
    vec e = vector_exp_negative(load(s + j) - shift);
    store(s + j, e);
    total += e;
  }
  if (j < columns) zero_floats(s + j, columns - j);
  float rescale = now > before ? vector_exp(splat(before) - shift)[0] : 1.0f;
  *largest = now;
  *sum = *sum * rescale + sum_lanes(total);
  return rescale;
}

INLINE void scale_floats(float *x, int size, float by) {
  int j = 0;
  for (; j + W <= size; j += W) store(x + j, load(x + j) * splat(by));
  for (; j < size; j++) x[j] *= by;
}

struct ForwardScratch {
  float *keys, *values, *queries, *tile, *weights, *largest, *sums;
};

static usize forward_layout(const struct Attention *a, struct ForwardScratch *f, float *base) {
  float *cursor = base;
  int keys = rounded_up(a->key_time, KEY_BLOCK);
  f->keys = take(&cursor, (usize)keys / KEY_BLOCK * packed_right_size(a->width, KEY_BLOCK));
  f->values = take(&cursor, (usize)keys / KEY_BLOCK * packed_right_size(KEY_BLOCK, a->value_width));
  f->queries = take(&cursor, (usize)QUERY_BLOCK * a->width);
  f->tile = take(&cursor, QUERY_BLOCK * KEY_BLOCK);
  f->weights = take(&cursor, QUERY_BLOCK * KEY_BLOCK);
  f->largest = take(&cursor, QUERY_BLOCK);
  f->sums = take(&cursor, QUERY_BLOCK);
  return floats_between(base, cursor);
}

// The first `count` keys and values of one key head, packed as right factors, a block of keys after the other.
static void pack_keys(const struct Attention *a, const struct ForwardScratch *f, int head, int count) {
  const struct Place *keys_at = &a->places->key, *values_at = &a->places->value;
  const float *key = a->key + head_at(keys_at, head, a->key_heads);
  const float *value = a->value + head_at(values_at, head, a->key_heads);
  for (int k = 0, block = 0; k < count; k += KEY_BLOCK, block++) {
    int keys = smaller(KEY_BLOCK, count - k);
    pack_right_factor(key + (usize)k * keys_at->row, 1, keys_at->row,
                      f->keys + block * packed_right_size(a->width, KEY_BLOCK), a->width, keys);
    pack_right_factor(value + (usize)k * values_at->row, values_at->row, 1,
                      f->values + block * packed_right_size(KEY_BLOCK, a->value_width), keys, a->value_width);
  }
}

// One block of query rows against all keys that any of them sees. `head` counts key heads over the batch. Products of few rows
// are bound by reading keys and values, which are read where they lie: thin products need no scratch memory.
static void forward_item(const struct Attention *a, const struct ForwardScratch *f, int head, struct QueryBlock block,
                         float *output, float *statistics) {
  int batch = head / a->key_heads, key_head = head % a->key_heads, length = key_length(a, batch);
  int reach = visible_keys(a, length, block.last_time), seen = seen_keys(a, length), few = block.rows <= THIN;
  usize first = (usize)head * group_rows(a) + block.first;
  const struct Places *at = a->places;
  int query_row = at->query.row, key_row = at->key.row, value_row = at->value.row, output_row = at->output.row;
  const float *query = a->query + query_at(a, &at->query, head, block.first);
  const float *key = a->key + head_at(&at->key, head, a->key_heads);
  const float *value = a->value + head_at(&at->value, head, a->key_heads);
  output += query_at(a, &at->output, head, block.first);
  statistics += 2 * first;
  for (int i = 0; i < block.rows; i++) {
    f->largest[i] = -__builtin_inff();
    f->sums[i] = 0.0f;
  }
  for (int i = 0; i < block.rows; i++) zero_floats(output + (usize)i * output_row, a->value_width);
  if (!few) pack_left_factor(query, query_row, 1, f->queries, block.rows, a->width);

  for (int k = 0, b = 0; k < reach; k += KEY_BLOCK, b++) {
    int keys = smaller(KEY_BLOCK, (few ? reach : seen) - k);
    if (few)
      multiply(&alone, query, query_row, 1, key + (usize)k * key_row, 1, key_row, f->tile, KEY_BLOCK, block.rows, a->width,
               keys, 0, 0);
    else
      multiply_packed(f->queries, f->keys + b * packed_right_size(a->width, KEY_BLOCK), f->tile, KEY_BLOCK, block.rows,
                      a->width, keys, 0);
    for (int i = 0; i < block.rows; i++) {
      struct Row row = row_of(a, batch, key_head, block.first + i);
      int count = smaller(keys, larger(0, visible_keys(a, length, row.time) - k));
      const float *bias = a->bias ? a->bias + row.bias + k * a->bias_key : 0;
      float *s = f->tile + i * KEY_BLOCK;
      float rescale = softmax_row(a, s, bias, count, keys, f->largest + i, f->sums + i);
      if (k > 0 && rescale != 1.0f) scale_floats(output + (usize)i * output_row, a->value_width, rescale);
      if (a->rate > 0.0) {
        float space[factors_space];
        const float *factors = dropout_row(a, row, k, count, space);
        for (int j = 0; j < count; j += W) store(s + j, load(s + j) * load(factors + j));
      }
    }
    if (few) {
      multiply(&alone, f->tile, KEY_BLOCK, 1, value + (usize)k * value_row, value_row, 1, output, output_row, block.rows,
               keys, a->value_width, 1, 0);
    } else {
      pack_left_factor(f->tile, KEY_BLOCK, 1, f->weights, block.rows, keys);
      multiply_packed(f->weights, f->values + b * packed_right_size(KEY_BLOCK, a->value_width), output, output_row,
                      block.rows, keys, a->value_width, 1);
    }
  }
  for (int i = 0; i < block.rows; i++) {
    float sum = f->sums[i], inverse = sum == 0.0f ? 0.0f : 1.0f / sum;
    scale_floats(output + (usize)i * output_row, a->value_width, inverse);
    statistics[2 * i] = inverse == 0.0f ? 0.0f : f->largest[i];
    statistics[2 * i + 1] = inverse;
  }
}

EXPORT usize attention_forward_work(int key_time, int width, int value_width, int threads) {
  struct Attention a = {.key_time = key_time, .width = width, .value_width = value_width};
  struct ForwardScratch f;
  struct Team team = {0, threads, 0};
  float *cursor = 0;
  take_own(&team, &cursor, forward_layout(&a, &f, 0));
  return floats_between(0, cursor);
}

// `places`: batch, head and row distances of queries, keys, values and outputs, in this order. `statistics` receives, for each query, its largest score and the inverse of the sum of exponentials; 0 and 0 where it sees no
// key.
EXPORT void attention_forward(const float *query, const float *key, const float *value, const float *bias,
                              const int *lengths, float *output, float *statistics, const int *places, int batch,
                              int query_heads, int key_heads, int query_time, int key_time, int width, int value_width,
                              int bias_batch, int bias_head, int bias_query, int bias_key, float scale, int causal, int offset,
                              double rate, unsigned key0, unsigned key1, float *scratch, int thread, int threads,
                              int *shared) {
  struct Attention a = {query, key, value, bias, lengths, (const struct Places *)places,
                        batch, query_heads, key_heads, query_time, key_time, width, value_width,
                        bias_batch, bias_head, bias_query, bias_key,
                        scale, causal, offset, rate, key0, key1};
  struct Team team = {thread, threads, shared};
  struct ForwardScratch f;
  forward_layout(&a, &f, take_own(&team, &scratch, forward_layout(&a, &f, 0)));
  int blocks = query_blocks(&a), packed = -1;
  struct Range mine = share(&team, batch * key_heads * blocks, 1);
  for (int item = mine.first; item < mine.last; item++) {
    int head = item / blocks;
    struct QueryBlock block = query_block(&a, item % blocks);
    if (head != packed && block.rows > THIN) {
      pack_keys(&a, &f, head, seen_keys(&a, key_length(&a, head / key_heads)));
      packed = head;
    }
    forward_item(&a, &f, head, block, output, statistics);
  }
}

struct BackwardScratch {
  float *deltas, *query_rows, *d_output_rows, *queries, *d_outputs;  // of all rows of a key head, packed both ways
  float *keys_across, *values_across, *keys;                         // of one block of keys
  float *clean, *weights, *d_weights, *left;                         // of one tile
};

static usize backward_layout(const struct Attention *a, struct BackwardScratch *f, float *base) {
  float *cursor = base;
  usize rows = group_rows(a), blocks = query_blocks(a);
  f->deltas = take(&cursor, rows);
  f->query_rows = take(&cursor, rows * a->width);
  f->d_output_rows = take(&cursor, rows * a->value_width);
  f->queries = take(&cursor, blocks * packed_right_size(QUERY_BLOCK, a->width));
  f->d_outputs = take(&cursor, blocks * packed_right_size(QUERY_BLOCK, a->value_width));
  f->keys_across = take(&cursor, packed_right_size(a->width, KEY_BLOCK));
  f->values_across = take(&cursor, packed_right_size(a->value_width, KEY_BLOCK));
  f->keys = take(&cursor, packed_right_size(KEY_BLOCK, a->width));
  f->clean = take(&cursor, (usize)QUERY_BLOCK * larger(a->width, a->value_width));
  f->weights = take(&cursor, QUERY_BLOCK * KEY_BLOCK);
  f->d_weights = take(&cursor, QUERY_BLOCK * KEY_BLOCK);
  f->left = take(&cursor, QUERY_BLOCK * KEY_BLOCK);
  return floats_between(base, cursor);
}

// One row of the two tiles. With p the weights, m dropout's factors and dp = dO·Vᵀ: s becomes m∘p, d the gradient of q·k,
// scale·p∘(m∘dp − delta), where delta = Σ m∘p∘dp = dO·O; the gradient of the score itself is added to d_bias.
static void gradient_row(const struct Attention *a, float *s, float *d, const float *bias, float *d_bias,
                         const float *factors, int count, int columns, const float *statistics, float delta) {
  vec largest = splat(statistics[0]), inverse = splat(statistics[1]), shared = splat(0.0f);
  int j = 0;
  for (; j < count; j += W) {
    vec p = vector_exp_negative(score_lanes(a, s, bias, j, count) - largest) * inverse;
    vec kept = factors ? load(factors + j) : splat(1.0f);
    vec gradient = p * (load(d + j) * kept - splat(delta));
    // Beyond `count` lies what may not even be a number.
    if (count - j < W) gradient = choose(lanes_below(count - j), gradient, splat(0.0f));
    store(s + j, p * kept);
    store(d + j, gradient * splat(a->scale));
    if (!d_bias) continue;
    if (a->bias_key) store_lanes(d_bias + j, load_lanes(d_bias + j, count - j) + gradient, count - j);
    else shared += gradient;
  }
  if (j < columns) {
    zero_floats(s + j, columns - j);
    zero_floats(d + j, columns - j);
  }
  if (d_bias && !a->bias_key) *d_bias += sum_lanes(shared);
}

// Rows of queries or of their gradients; zeros for those that see no key, so that a NaN in them stays there.
static void copy_sighted(const float *from, int from_row, float *to, int rows, int width, const float *statistics) {
  for (int i = 0; i < rows; i++, from += from_row, to += width) {
    if (statistics[2 * i + 1] == 0.0f) zero_floats(to, width);
    else copy_floats(to, from, width);
  }
}

INLINE float dot(const float *a, const float *b, int size) {
  vec sum = splat(0.0f);
  float rest = 0.0f;
  int j = 0;
  for (; j + W <= size; j += W) sum = multiply_add(load(a + j), load(b + j), sum);
  for (; j < size; j++) rest += a[j] * b[j];
  return rest + sum_lanes(sum);
}

// Packs what the tiles of a key head share, and makes deltas. `first` is its first row of all query rows.
static void prepare_rows(const struct Attention *a, const struct BackwardScratch *f, int head, usize first,
                         const float *output, const float *statistics, const float *d_output) {
  int width = a->width, value_width = a->value_width;
  const struct Place *queries = &a->places->query, *outputs = &a->places->output;
  for (int b = 0; b < query_blocks(a); b++) {
    struct QueryBlock block = query_block(a, b);
    const float *known = statistics + 2 * (first + block.first);
    usize at = query_at(a, outputs, head, block.first);
    copy_sighted(a->query + query_at(a, queries, head, block.first), queries->row, f->clean, block.rows, width, known);
    pack_left_factor(f->clean, width, 1, f->query_rows + (usize)block.first * width, block.rows, width);
    pack_right_factor(f->clean, width, 1, f->queries + b * packed_right_size(QUERY_BLOCK, width), block.rows, width);
    copy_sighted(d_output + at, outputs->row, f->clean, block.rows, value_width, known);
    pack_left_factor(f->clean, value_width, 1, f->d_output_rows + (usize)block.first * value_width, block.rows, value_width);
    pack_right_factor(f->clean, value_width, 1, f->d_outputs + b * packed_right_size(QUERY_BLOCK, value_width), block.rows,
                      value_width);
    for (int i = 0; i < block.rows; i++)
      f->deltas[block.first + i] = dot(output + at + (usize)i * outputs->row, f->clean + i * value_width, value_width);
  }
}

struct Gradients {
  float *query, *key, *value, *bias;
};

// The tile of one block of queries and the keys k … k + keys − 1.
static void backward_tile(const struct Attention *a, const struct BackwardScratch *f, int head, int index,
                          struct QueryBlock block, int k, int keys, const float *statistics, const struct Gradients *d) {
  int batch = head / a->key_heads, key_head = head % a->key_heads, length = key_length(a, batch);
  int width = a->width, value_width = a->value_width, rows = block.rows;
  usize first = (usize)head * group_rows(a) + block.first;
  const struct Places *places = a->places;
  multiply_packed(f->query_rows + (usize)block.first * width, f->keys_across, f->weights, KEY_BLOCK, rows, width, keys, 0);
  multiply_packed(f->d_output_rows + (usize)block.first * value_width, f->values_across, f->d_weights, KEY_BLOCK, rows,
                  value_width, keys, 0);
  for (int i = 0; i < rows; i++) {
    struct Row row = row_of(a, batch, key_head, block.first + i);
    int count = smaller(keys, larger(0, visible_keys(a, length, row.time) - k));
    usize at = row.bias + k * a->bias_key;
    float space[factors_space];
    const float *factors = a->rate > 0.0 ? dropout_row(a, row, k, count, space) : 0;
    gradient_row(a, f->weights + i * KEY_BLOCK, f->d_weights + i * KEY_BLOCK, a->bias ? a->bias + at : 0,
                 d->bias ? d->bias + at : 0, factors, count, keys, statistics + 2 * (first + i), f->deltas[block.first + i]);
  }
  pack_left_factor(f->weights, 1, KEY_BLOCK, f->left, keys, rows);
  multiply_packed(f->left, f->d_outputs + index * packed_right_size(QUERY_BLOCK, value_width),
                  d->value + head_at(&places->value, head, a->key_heads) + (usize)k * places->value.row, places->value.row, keys,
                  rows, value_width, 1);
  pack_left_factor(f->d_weights, 1, KEY_BLOCK, f->left, keys, rows);
  multiply_packed(f->left, f->queries + index * packed_right_size(QUERY_BLOCK, width),
                  d->key + head_at(&places->key, head, a->key_heads) + (usize)k * places->key.row, places->key.row, keys, rows,
                  width, 1);
  pack_left_factor(f->d_weights, KEY_BLOCK, 1, f->left, rows, keys);
  multiply_packed(f->left, f->keys, d->query + query_at(a, &places->query, head, block.first), places->query.row, rows, keys,
                  width, 1);
}

// All tiles of one key head. `head` counts key heads over the batch.
static void backward_item(const struct Attention *a, const struct BackwardScratch *f, int head, const float *output,
                          const float *statistics, const float *d_output, const struct Gradients *d) {
  int width = a->width, value_width = a->value_width, blocks = query_blocks(a);
  int seen = seen_keys(a, key_length(a, head / a->key_heads));
  int key_row = a->places->key.row, value_row = a->places->value.row;
  usize key_first = head_at(&a->places->key, head, a->key_heads), value_first = head_at(&a->places->value, head, a->key_heads);
  for (int r = 0; r < group_rows(a); r++) zero_floats(d->query + query_at(a, &a->places->query, head, r), width);
  for (int k = 0; k < a->key_time; k++) {
    zero_floats(d->key + key_first + (usize)k * key_row, width);
    zero_floats(d->value + value_first + (usize)k * value_row, value_width);
  }
  prepare_rows(a, f, head, (usize)head * group_rows(a), output, statistics, d_output);
  for (int k = 0; k < seen; k += KEY_BLOCK) {
    int keys = smaller(KEY_BLOCK, seen - k);
    const float *key = a->key + key_first + (usize)k * key_row, *value = a->value + value_first + (usize)k * value_row;
    pack_right_factor(key, 1, key_row, f->keys_across, width, keys);
    pack_right_factor(value, 1, value_row, f->values_across, value_width, keys);
    pack_right_factor(key, key_row, 1, f->keys, keys, width);
    for (int b = 0; b < blocks; b++) {
      struct QueryBlock block = query_block(a, b);
      if (visible_keys(a, seen, block.last_time) > k) backward_tile(a, f, head, b, block, k, keys, statistics, d);
    }
  }
}

EXPORT usize attention_backward_work(const int *places, int query_heads, int key_heads, int query_time, int width,
                                     int value_width, int threads) {
  struct Attention a = {.query_heads = query_heads, .key_heads = key_heads, .query_time = query_time};
  a.places = (const struct Places *)places;
  a.width = width;
  a.value_width = value_width;
  struct BackwardScratch f;
  struct Team team = {0, threads, 0};
  float *cursor = 0;
  take_own(&team, &cursor, backward_layout(&a, &f, 0));
  return floats_between(0, cursor);
}

// `d_bias` is added to, 0 when there is no bias; the other gradients are written.
EXPORT void attention_backward(const float *query, const float *key, const float *value, const float *bias,
                               const int *lengths, const float *output, const float *statistics, const float *d_output,
                               float *d_query, float *d_key, float *d_value, float *d_bias, const int *places, int batch,
                               int query_heads, int key_heads, int query_time, int key_time, int width, int value_width,
                               int bias_batch, int bias_head, int bias_query, int bias_key, float scale, int causal,
                               int offset, double rate, unsigned key0, unsigned key1, float *scratch, int thread, int threads,
                               int *shared) {
  struct Attention a = {query, key, value, bias, lengths, (const struct Places *)places,
                        batch, query_heads, key_heads, query_time, key_time, width, value_width,
                        bias_batch, bias_head, bias_query, bias_key,
                        scale, causal, offset, rate, key0, key1};
  struct Team team = {thread, threads, shared};
  struct BackwardScratch f;
  struct Gradients d = {d_query, d_key, d_value, d_bias};
  backward_layout(&a, &f, take_own(&team, &scratch, backward_layout(&a, &f, 0)));
  // Heads go first where the batch shares the bias, so that what must stay together lies together.
  int of_batch = d_bias && bias_batch == 0, of_heads = d_bias && bias_head == 0;
  struct Range mine = share(&team, batch * key_heads, (of_batch ? batch : 1) * (of_heads ? key_heads : 1));
  for (int item = mine.first; item < mine.last; item++) {
    int head = of_batch ? item % batch * key_heads + item / batch : item;
    backward_item(&a, &f, head, output, statistics, d_output, &d);
  }
}
