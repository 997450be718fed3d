// Convolution of images [N, H, W, C] with a filter of its own for each channel [h, w, C], and its two gradients. Channels lie side by
// side: each vector has some of them.
#include "team.h"

struct Depthwise {
  int batch, in_height, in_width, channels, out_height, out_width;
  int filter_height, filter_width, stride_height, stride_width, dilation_height, dilation_width, pad_top, pad_left;
};

// One direction of a sum over taps. For the result at a position, a tap reads the source at
// (first + position·advance + tap·step) / divide, where that is a whole number and inside.
struct Side {
  int first, advance, step, divide, taps, results, size;
};

INLINE int source_of(const struct Side *side, int position, int tap) {
  int at = side->first + position * side->advance + tap * side->step;
  if (at < 0 || (side->divide > 1 && at % side->divide)) return -1;
  at /= side->divide;
  return at < side->size ? at : -1;
}

// Positions of which every tap is inside.
INLINE struct Range inner_positions(const struct Side *side) {
  struct Range inner = {0, 0};
  if (side->divide > 1) return inner;
  while (inner.last < side->results) {
    int inside = source_of(side, inner.last, 0) >= 0 && source_of(side, inner.last, side->taps - 1) >= 0;
    if (inside) inner.last++;
    else if (inner.last > inner.first) break;
    else inner.first = ++inner.last;
  }
  return inner;
}

struct Tap {
  const float *source, *weight;
};
enum { tap_list = 64, tap_pixels = 4 };

INLINE void add_lanes(int pixels, int lanes, const struct Tap *taps, int count, usize offset, usize distance, float *out,
                      int channels, int accumulate) {
  vec sums[tap_pixels];
  for (int p = 0; p < pixels; p++) sums[p] = accumulate ? load_lanes(out + (usize)p * channels, lanes) : splat(0.0f);
  for (int t = 0; t < count; t++) {
    vec weight = load_lanes(taps[t].weight + offset, lanes);
    const float *source = taps[t].source + offset;
    for (int p = 0; p < pixels; p++) sums[p] = multiply_add(load_lanes(source + p * distance, lanes), weight, sums[p]);
  }
  for (int p = 0; p < pixels; p++) store_lanes(out + (usize)p * channels, sums[p], lanes);
}

// Some taps of neighbouring results, whose sources are `distance` floats apart.
INLINE void add_taps(int pixels, const struct Tap *taps, int count, usize distance, float *out, int channels, int accumulate) {
  int c = 0;
  for (; c + W <= channels; c += W) add_lanes(pixels, W, taps, count, c, distance, out + c, channels, accumulate);
  if (c < channels) add_lanes(pixels, channels - c, taps, count, c, distance, out + c, channels, accumulate);
}

static void add_run(struct Tap *taps, int count, usize distance, float *out, int run, int channels, int accumulate) {
  while (run > 0) {
    int pixels = run >= tap_pixels ? tap_pixels : 1;
    if (pixels == tap_pixels) add_taps(tap_pixels, taps, count, distance, out, channels, accumulate);
    else add_taps(1, taps, count, distance, out, channels, accumulate);
    for (int t = 0; t < count; t++) taps[t].source += pixels * distance;
    out += (usize)pixels * channels;
    run -= pixels;
  }
}

// A line of results. Those with every tap inside have one list of taps.
static void depthwise_line(const struct Side *rows, const struct Side *columns, struct Range inner, int row, const float *image,
                           const float *filter, float *out, int channels) {
  for (int column = 0, run; column < columns->results; column += run) {
    run = column == inner.first && inner.last > inner.first ? inner.last - inner.first : 1;
    struct Tap taps[tap_list];
    int count = 0, accumulate = 0;
    float *target = out + (usize)column * channels;
    usize distance = (usize)columns->advance * channels;
    for (int i = 0; i < rows->taps; i++) {
      int y = source_of(rows, row, i);
      if (y < 0) continue;
      for (int j = 0; j < columns->taps; j++) {
        int x = source_of(columns, column, j);
        if (x < 0) continue;
        if (count == tap_list) {
          add_run(taps, count, distance, target, run, channels, accumulate);
          count = 0;
          accumulate = 1;
        }
        taps[count++] = (struct Tap){image + ((usize)y * columns->size + x) * channels,
                                     filter + ((usize)i * columns->taps + j) * channels};
      }
    }
    add_run(taps, count, distance, target, run, channels, accumulate);
  }
}

static void depthwise_lines(const struct Side *rows, const struct Side *columns, const float *source, const float *filter,
                            float *out, int batch, int channels, const struct Team *team) {
  struct Range mine = share(team, batch * rows->results, 1), inner = inner_positions(columns);
  usize image = (usize)rows->size * columns->size * channels, line = (usize)columns->results * channels;
  for (int i = mine.first; i < mine.last; i++)
    depthwise_line(rows, columns, inner, i % rows->results, source + i / rows->results * image, filter, out + i * line, channels);
}

// output[N, oh, ow, C] = Σ over taps of input[N, ih, iw, C]·filter[tap, C]. What a tap reads beside the image is left out.
EXPORT void depthwise(const float *input, const float *filter, float *output, const int *shape, int thread, int threads,
                      int *shared) {
  const struct Depthwise *d = (const struct Depthwise *)shape;
  struct Team team = {thread, threads, shared};
  struct Side rows = {-d->pad_top, d->stride_height, d->dilation_height, 1, d->filter_height, d->out_height, d->in_height};
  struct Side columns = {-d->pad_left, d->stride_width, d->dilation_width, 1, d->filter_width, d->out_width, d->in_width};
  depthwise_lines(&rows, &columns, input, filter, output, d->batch, d->channels, &team);
}

// d_input[N, ih, iw, C] = Σ over taps of d_output[N, oh, ow, C]·filter[tap, C].
EXPORT void depthwise_input_gradient(const float *d_output, const float *filter, float *d_input, const int *shape, int thread,
                                     int threads, int *shared) {
  const struct Depthwise *d = (const struct Depthwise *)shape;
  struct Team team = {thread, threads, shared};
  struct Side rows = {d->pad_top, 1, -d->dilation_height, d->stride_height, d->filter_height, d->in_height, d->out_height};
  struct Side columns = {d->pad_left, 1, -d->dilation_width, d->stride_width, d->filter_width, d->in_width, d->out_width};
  depthwise_lines(&rows, &columns, d_output, filter, d_input, d->batch, d->channels, &team);
}

// Σ x[i·x_step]·y[i·y_step], in four sums that do not wait for each other.
INLINE vec line_products(const float *x, usize x_step, const float *y, usize y_step, int count, int lanes) {
  vec sums[4] = {splat(0.0f), splat(0.0f), splat(0.0f), splat(0.0f)};
  int i = 0;
  for (; i + 4 <= count; i += 4, x += 4 * x_step, y += 4 * y_step)
    for (int s = 0; s < 4; s++)
      sums[s] = multiply_add(load_lanes(x + s * x_step, lanes), load_lanes(y + s * y_step, lanes), sums[s]);
  for (; i < count; i++, x += x_step, y += y_step)
    sums[0] = multiply_add(load_lanes(x, lanes), load_lanes(y, lanes), sums[0]);
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

// The lines of the results are summed up in chunks, the same for any number of threads.
enum { depthwise_chunks = 16 };

EXPORT usize depthwise_filter_gradient_work(const int *shape) {
  const struct Depthwise *d = (const struct Depthwise *)shape;
  return (usize)depthwise_chunks * d->filter_height * d->filter_width * d->channels;
}

// d_filter[tap, C] = Σ over pixels of input[pixel at the tap, C]·d_output[pixel, C].
EXPORT void depthwise_filter_gradient(const float *input, const float *d_output, float *d_filter, const int *shape, float *work,
                                      int thread, int threads, int *shared) {
  const struct Depthwise *d = (const struct Depthwise *)shape;
  struct Team team = {thread, threads, shared};
  int channels = d->channels, lines = d->batch * d->out_height;
  usize size = (usize)d->filter_height * d->filter_width * channels, x_step = (usize)d->stride_width * channels;
  struct Range mine = share(&team, depthwise_chunks, 1);
  for (int chunk = mine.first; chunk < mine.last; chunk++) {
    float *sums = work + chunk * size;
    zero_floats(sums, size);
    struct Team place = {chunk, depthwise_chunks, 0};
    struct Range part = share(&place, lines, 1);
    for (int line = part.first; line < part.last; line++) {
      const float *image = input + (usize)(line / d->out_height) * d->in_height * d->in_width * channels;
      const float *gradient = d_output + (usize)line * d->out_width * channels;
      for (int c = 0; c < channels; c += W) {
        int lanes = smaller(W, channels - c);
        for (int tap = 0; tap < d->filter_height * d->filter_width; tap++) {
          int y = line % d->out_height * d->stride_height + tap / d->filter_width * d->dilation_height - d->pad_top;
          int across = tap % d->filter_width * d->dilation_width - d->pad_left;
          if (y < 0 || y >= d->in_height || across >= d->in_width) continue;
          int first = across < 0 ? (d->stride_width - 1 - across) / d->stride_width : 0;
          int last = smaller(d->out_width, (d->in_width - 1 - across) / d->stride_width + 1);
          if (first >= last) continue;
          const float *x = image + ((usize)y * d->in_width + first * d->stride_width + across) * channels + c;
          const float *dy = gradient + (usize)first * channels + c;
          float *sum = sums + (usize)tap * channels + c;
          if (lanes == W) store(sum, load(sum) + line_products(x, x_step, dy, channels, last - first, W));
          else store_some(sum, load_some(sum, lanes) + line_products(x, x_step, dy, channels, last - first, lanes), lanes);
        }
      }
    }
  }
  meet(&team);
  struct Range columns = share(&team, (int)size, 16);
  for (int j = columns.first; j < columns.last; j += W) {
    int lanes = smaller(W, columns.last - j);
    vec total = load_lanes(work + j, lanes);
    for (int chunk = 1; chunk < depthwise_chunks; chunk++) total += load_lanes(work + chunk * size + j, lanes);
    store_lanes(d_filter + j, total, lanes);
  }
}
