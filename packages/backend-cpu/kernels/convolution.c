// Convolution of images [N, H, W, C] with filters [h, w, in, out], and its two gradients. No matrix of patches is made: a tile of the
// product reads, for every tap of the filter, the channels of its pixels where they lie, through a table of their addresses
// (Dukhan 2019, "The indirect convolution algorithm", arXiv:1907.02129). Where a tap falls into the padding, the address is that of zeros.
#include "gemm.h"
#include "indirect-product.h"

struct Convolution {
  int batch, in_height, in_width, in_channels, out_height, out_width, out_channels;
  int filter_height, filter_width, stride_height, stride_width, dilation_height, dilation_width, pad_top, pad_left;
};

INLINE int tap_count(const struct Convolution *c) { return c->filter_height * c->filter_width; }

struct ConvolutionScratch {
  float *panels, *zeros;
  const float **at;
  int *taps;
};

static usize convolution_layout(const struct Team *team, const struct Convolution *c, struct ConvolutionScratch *f, float *base,
                                int depth, int n) {
  float *cursor = base;
  int taps = tap_count(c);
  f->panels = take(&cursor, packed_right_size(taps * depth, n));
  f->zeros = take_own(team, &cursor, depth);
  f->taps = (int *)take_own(team, &cursor, taps);
  f->at = (const float **)take_own(team, &cursor, (usize)pixel_block * taps * sizeof(float *) / sizeof(float));
  return floats_between(base, cursor);
}

EXPORT usize conv2d_work(const int *shape, int threads) {
  const struct Convolution *c = (const struct Convolution *)shape;
  struct Team team = {0, threads, 0};
  struct ConvolutionScratch f;
  return convolution_layout(&team, c, &f, 0, c->in_channels, c->out_channels);
}

// output[N, oh, ow, out] = Σ over taps and input channels of input[N, ih, iw, in]·filter[tap, in, out].
EXPORT void conv2d(const float *input, const float *filter, float *output, const int *shape, float *scratch, int thread,
                   int threads, int *shared) {
  const struct Convolution *c = (const struct Convolution *)shape;
  struct Team team = {thread, threads, shared};
  struct ConvolutionScratch f;
  int taps = tap_count(c), depth = c->in_channels, n = c->out_channels, k = taps * depth;
  convolution_layout(&team, c, &f, scratch, depth, n);
  struct Range columns = share_columns(&team, n);
  if (columns.first < columns.last)
    pack_right_factor(filter + columns.first, n, 1, f.panels + (usize)columns.first * k, k, columns.last - columns.first);
  zero_floats(f.zeros, depth);
  for (int t = 0; t < taps; t++) f.taps[t] = t;
  meet(&team);

  int pixels = c->batch * c->out_height * c->out_width;
  struct Range mine = share(&team, pixels, pixel_block);
  for (int first = mine.first; first < mine.last; first += pixel_block) {
    struct PixelBlock block = {.at = f.at, .pixels = smaller(pixel_block, mine.last - first)};
    struct Groups groups = groups_of(block.pixels, TILE_ROWS);
    int column = first % c->out_width, row = first / c->out_width % c->out_height, image = first / c->out_width / c->out_height;
    const float **at = f.at;
    for (int g = 0, i = 0; g < groups.count; g++, at += group_height(groups, g - 1) * taps) {
      int height = group_height(groups, g);
      for (int r = 0; r < height; r++, i++) {
        int top = row * c->stride_height - c->pad_top, left = column * c->stride_width - c->pad_left;
        const float *pixels_of = input + (usize)image * c->in_height * c->in_width * depth, **entry = at + r;
        block.out[i] = output + (usize)(first + i) * n;
        for (int ky = 0, y = top; ky < c->filter_height; ky++, y += c->dilation_height)
          for (int kx = 0, x = left; kx < c->filter_width; kx++, x += c->dilation_width, entry += height) {
            int inside = (unsigned)y < (unsigned)c->in_height && (unsigned)x < (unsigned)c->in_width;
            *entry = inside ? pixels_of + ((usize)y * c->in_width + x) * depth : f.zeros;
          }
        if (++column < c->out_width) continue;
        column = 0;
        if (++row < c->out_height) continue;
        row = 0;
        image++;
      }
    }
    indirect_block(&block, f.taps, taps, taps, depth, f.panels, n);
  }
}

EXPORT usize conv2d_input_gradient_work(const int *shape, int threads) {
  const struct Convolution *c = (const struct Convolution *)shape;
  struct Team team = {0, threads, 0};
  struct ConvolutionScratch f;
  return convolution_layout(&team, c, &f, 0, c->out_channels, c->in_channels);
}

// Of 0 … size−1, the first that has remainder `phase` when `pad` is added and `stride` divides.
INLINE int first_of_phase(int phase, int pad, int stride) { return ((phase - pad) % stride + stride) % stride; }
INLINE int count_of_phase(int first, int size, int stride) { return first < size ? (size - first + stride - 1) / stride : 0; }

// d_input[N, ih, iw, in] = Σ over taps and output channels of d_output·filter. Pixels with the same remainder modulo the stride meet the
// same taps: they are one product. Dilation 1.
EXPORT void conv2d_input_gradient(const float *d_output, const float *filter, float *d_input, const int *shape, float *scratch,
                                  int thread, int threads, int *shared) {
  const struct Convolution *c = (const struct Convolution *)shape;
  struct Team team = {thread, threads, shared};
  struct ConvolutionScratch f;
  int taps = tap_count(c), depth = c->out_channels, n = c->in_channels;
  convolution_layout(&team, c, &f, scratch, depth, n);
  int dots = n <= few_columns && depth >= dot_columns;
  struct Range columns = share_columns(&team, n);
  for (int j = columns.first; j < columns.last && !dots; j += TILE_COLUMNS)
    for (int t = 0; t < taps; t++)
      pack_right_factor(filter + ((usize)t * n + j) * depth, 1, depth, f.panels + ((usize)j * taps + t * TILE_COLUMNS) * depth,
                        depth, smaller(TILE_COLUMNS, n - j));
  zero_floats(f.zeros, depth);
  meet(&team);

  for (int phase = 0; phase < c->stride_height * c->stride_width; phase++) {
    int phase_y = phase / c->stride_width, phase_x = phase % c->stride_width, count = 0;
    for (int y = phase_y; y < c->filter_height; y += c->stride_height)
      for (int x = phase_x; x < c->filter_width; x += c->stride_width) f.taps[count++] = y * c->filter_width + x;
    int first_y = first_of_phase(phase_y, c->pad_top, c->stride_height);
    int first_x = first_of_phase(phase_x, c->pad_left, c->stride_width);
    int rows = count_of_phase(first_y, c->in_height, c->stride_height);
    int width = count_of_phase(first_x, c->in_width, c->stride_width);
    struct Range mine = share(&team, c->batch * rows * width, pixel_block);
    for (int first = mine.first; first < mine.last; first += pixel_block) {
      struct PixelBlock block = {.at = f.at, .pixels = smaller(pixel_block, mine.last - first)};
      struct Groups groups = groups_of(block.pixels, TILE_ROWS);
      int column = first % width, row = first / width % rows, image = first / width / rows;
      const float **at = f.at;
      for (int g = 0, i = 0; g < groups.count; g++, at += group_height(groups, g - 1) * count) {
        int height = group_height(groups, g);
        for (int r = 0; r < height; r++, i++) {
          int in_y = first_y + row * c->stride_height, in_x = first_x + column * c->stride_width;
          const float *gradient = d_output + (usize)image * c->out_height * c->out_width * depth, **entry = at + r;
          block.out[i] = d_input + (((usize)image * c->in_height + in_y) * c->in_width + in_x) * n;
          // Whole quotients, negative ones too: the taps are those of the pixel's phase.
          int bottom = (in_y + c->pad_top - phase_y) / c->stride_height, right = (in_x + c->pad_left - phase_x) / c->stride_width;
          for (int ky = phase_y, y = bottom; ky < c->filter_height; ky += c->stride_height, y--)
            for (int kx = phase_x, x = right; kx < c->filter_width; kx += c->stride_width, x--, entry += height) {
              int inside = (unsigned)y < (unsigned)c->out_height && (unsigned)x < (unsigned)c->out_width;
              *entry = inside ? gradient + ((usize)y * c->out_width + x) * depth : f.zeros;
            }
          if (++column < width) continue;
          column = 0;
          if (++row < rows) continue;
          row = 0;
          image++;
        }
      }
      if (dots) dot_block(&block, f.taps, count, depth, filter, n);
      else indirect_block(&block, f.taps, count, taps, depth, f.panels, n);
    }
  }
}

// Pixels that the filter's gradient sums up at once.
enum { gradient_block = 128 };

// One tile of the filter's gradient: `rows` input channels × `vectors` vectors of output channels, over `count` pixels.
INLINE void filter_tile(int rows, int vectors, const float *const *at, int channel, const float *panel, int count, float *c,
                        int c_stride, int columns, int accumulate) {
  vec sums[TILE_ROWS][TILE_VECTORS];
  for (int i = 0; i < rows; i++)
    for (int v = 0; v < TILE_VECTORS; v++) sums[i][v] = splat(0.0f);
  UNROLL_NEVER
  for (int k = 0; k < count; k++, panel += TILE_COLUMNS) {
    const float *a = at[k] + channel;
    vec x[TILE_VECTORS];
    for (int v = 0; v < vectors; v++) x[v] = load(panel + v * W);
    for (int i = 0; i < rows; i++) {
      vec s = load_splat(a + i);
      for (int v = 0; v < vectors; v++) sums[i][v] = multiply_add(s, x[v], sums[i][v]);
      PIN(sums[i]);
    }
  }
  UNROLL_ALL  // or the sums would live in memory
  for (int i = 0; i < rows; i++) finish_row(c + i * c_stride, sums[i], columns, accumulate);
}

struct FilterGradientScratch {
  float *panels, *zeros;
  const float **at;
};

static usize filter_gradient_layout(const struct Team *team, const struct Convolution *c, struct FilterGradientScratch *f,
                                    float *base) {
  float *cursor = base;
  f->panels = take_own(team, &cursor, packed_right_size(gradient_block, c->out_channels));
  f->zeros = take_own(team, &cursor, c->in_channels);
  f->at = (const float **)take_own(team, &cursor, gradient_block * sizeof(float *) / sizeof(float));
  return floats_between(base, cursor);
}

EXPORT usize conv2d_filter_gradient_work(const int *shape, int threads) {
  struct Team team = {0, threads, 0};
  struct FilterGradientScratch f;
  return filter_gradient_layout(&team, (const struct Convolution *)shape, &f, 0);
}

// d_filter[tap, in, out] = Σ over pixels of input[pixel at the tap, in]·d_output[pixel, out]. Each thread owns a range of the rows (tap, in).
EXPORT void conv2d_filter_gradient(const float *input, const float *d_output, float *d_filter, const int *shape,
                                   float *scratch, int thread, int threads, int *shared) {
  const struct Convolution *c = (const struct Convolution *)shape;
  struct Team team = {thread, threads, shared};
  struct FilterGradientScratch f;
  filter_gradient_layout(&team, c, &f, scratch);
  zero_floats(f.zeros, c->in_channels);
  int n = c->out_channels, channels = c->in_channels, pixels = c->batch * c->out_height * c->out_width;
  struct Range mine = share(&team, tap_count(c) * channels, 1);
  if (mine.first == mine.last) return;
  if (pixels == 0) zero_floats(d_filter + (usize)mine.first * n, (usize)(mine.last - mine.first) * n);
  for (int first = 0; first < pixels; first += gradient_block) {
    int count = smaller(gradient_block, pixels - first);
    pack_right_factor(d_output + (usize)first * n, n, 1, f.panels, count, n);
    for (int row = mine.first; row < mine.last;) {
      int tap = row / channels, channel = row % channels, rows = smaller(channels - channel, mine.last - row);
      int down = tap / c->filter_width * c->dilation_height - c->pad_top;
      int across = tap % c->filter_width * c->dilation_width - c->pad_left;
      for (int k = 0; k < count; k++) {
        int pixel = first + k, rest = pixel / c->out_width;
        int y = rest % c->out_height * c->stride_height + down, x = pixel % c->out_width * c->stride_width + across;
        int inside = y >= 0 && y < c->in_height && x >= 0 && x < c->in_width;
        const float *image = input + (usize)(rest / c->out_height) * c->in_height * c->in_width * channels;
        f.at[k] = inside ? image + ((usize)y * c->in_width + x) * channels : f.zeros;
      }
      struct Groups groups = groups_of(rows, TILE_ROWS);
      for (int g = 0; g < groups.count; g++) {
        int height = group_height(groups, g);
        for (int j = 0; j < n; j += TILE_COLUMNS) {
          int columns = smaller(TILE_COLUMNS, n - j), vectors = (columns + W - 1) / W;
          const float *panel = f.panels + (usize)j * count;
          float *target = d_filter + (usize)row * n + j;
#define CALL_TILE(rows) filter_tile(rows, WIDTH, f.at, channel, panel, count, target, n, columns, first > 0)
#define CALL_VECTORS(width) { enum { WIDTH = width }; FOR_HEIGHT(height, CALL_TILE) }
          FOR_VECTORS(vectors, CALL_VECTORS)
#undef CALL_VECTORS
#undef CALL_TILE
        }
        row += height;
        channel += height;
      }
    }
  }
}
