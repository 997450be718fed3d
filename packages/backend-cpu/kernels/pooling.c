// Largest and mean value of windows of images [N, H, W, C], and the gradients. Channels lie side by side: each vector has some of them.
#include "team.h"

struct Pooling {
  int batch, in_height, in_width, channels, out_height, out_width;
  int window_height, window_width, stride_height, stride_width, pad_top, pad_left;
};

// The part of a window that lies in the image.
struct Window {
  int top, bottom, left, right;
};
INLINE struct Window window_at(const struct Pooling *p, int row, int column) {
  int top = row * p->stride_height - p->pad_top, left = column * p->stride_width - p->pad_left;
  return (struct Window){larger(top, 0), smaller(top + p->window_height, p->in_height), larger(left, 0),
                         smaller(left + p->window_width, p->in_width)};
}

INLINE const float *pixel_at(const struct Pooling *p, const float *image, int y, int x) {
  return image + ((usize)y * p->in_width + x) * p->channels;
}
INLINE usize image_size(const struct Pooling *p) { return (usize)p->in_height * p->in_width * p->channels; }

// NaN is larger than nothing: it counts only where a sum is taken. Not x > best ? x : best, of which Clang makes a relaxed maximum where
// it may, and that leaves open what becomes of NaN.
INLINE vec larger_lanes(vec best, vec x) { return maximum(best, choose(x == x, x, best)); }

INLINE void pool(int mean, const float *input, float *output, const struct Pooling *p, const struct Team *team) {
  struct Range mine = share(team, p->batch * p->out_height, 1);
  for (int line = mine.first; line < mine.last; line++) {
    const float *image = input + (line / p->out_height) * image_size(p);
    float *out = output + (usize)line * p->out_width * p->channels;
    for (int column = 0; column < p->out_width; column++, out += p->channels) {
      struct Window w = window_at(p, line % p->out_height, column);
      vec count = splat((float)((w.bottom - w.top) * (w.right - w.left)));
      for (int c = 0; c < p->channels; c += W) {
        int lanes = smaller(W, p->channels - c);
        vec value = mean ? splat(0.0f) : splat(-__builtin_inff());
        for (int y = w.top; y < w.bottom; y++)
          for (int x = w.left; x < w.right; x++) {
            vec pixel = load_lanes(pixel_at(p, image, y, x) + c, lanes);
            value = mean ? value + pixel : larger_lanes(value, pixel);
          }
        store_lanes(out + c, mean ? value / count : value, lanes);
      }
    }
  }
}

// output = the largest value of each window.
EXPORT void max_pool(const float *input, float *output, const int *shape, int thread, int threads, int *shared) {
  struct Team team = {thread, threads, shared};
  pool(0, input, output, (const struct Pooling *)shape, &team);
}

// output = the mean of what of each window lies in the image.
EXPORT void average_pool(const float *input, float *output, const int *shape, int thread, int threads, int *shared) {
  struct Team team = {thread, threads, shared};
  pool(1, input, output, (const struct Pooling *)shape, &team);
}

// Where windows overlap their gradients are summed up in the order of the windows; so each thread has whole images, some channels of each.
enum { pooling_channels = 4 * W };
INLINE int channel_blocks(const struct Pooling *p) { return (p->channels + pooling_channels - 1) / pooling_channels; }

INLINE void clear_channels(const struct Pooling *p, float *image, int first, int last) {
  usize pixels = (usize)p->in_height * p->in_width;
  for (usize i = 0; i < pixels; i++) zero_floats(image + i * p->channels + first, last - first);
}

// The gradient of each window goes to the first of its pixels that is largest; to none where all are NaN or −∞.
EXPORT void max_pool_gradient(const float *input, const float *d_output, float *d_input, const int *shape, int thread,
                              int threads, int *shared) {
  const struct Pooling *p = (const struct Pooling *)shape;
  struct Team team = {thread, threads, shared};
  struct Range mine = share(&team, p->batch * channel_blocks(p), 1);
  for (int item = mine.first; item < mine.last; item++) {
    int n = item / channel_blocks(p), first = item % channel_blocks(p) * pooling_channels;
    int last = smaller(first + pooling_channels, p->channels);
    const float *image = input + n * image_size(p);
    const float *gradient = d_output + (usize)n * p->out_height * p->out_width * p->channels;
    float *target = d_input + n * image_size(p);
    clear_channels(p, target, first, last);
    for (int row = 0; row < p->out_height; row++)
      for (int column = 0; column < p->out_width; column++, gradient += p->channels) {
        struct Window w = window_at(p, row, column);
        for (int c = first; c < last; c += W) {
          int lanes = smaller(W, last - c);
          vec best = splat(-__builtin_inff());
          ivec place = {0};
          place -= 1;
          for (int y = w.top; y < w.bottom; y++)
            for (int x = w.left; x < w.right; x++) {
              vec pixel = load_lanes(pixel_at(p, image, y, x) + c, lanes);
              ivec beats = pixel > best, here = (ivec){0} + (y * p->in_width + x);
              best = choose(beats, pixel, best);
              place = (here & beats) | (place & ~beats);
            }
          for (int lane = 0; lane < lanes; lane++)
            if (place[lane] >= 0) target[(usize)place[lane] * p->channels + c + lane] += gradient[c + lane];
        }
      }
  }
}

// The gradient of each window, divided by its size, goes to all of its pixels.
EXPORT void average_pool_gradient(const float *d_output, float *d_input, const int *shape, int thread, int threads,
                                  int *shared) {
  const struct Pooling *p = (const struct Pooling *)shape;
  struct Team team = {thread, threads, shared};
  struct Range mine = share(&team, p->batch * channel_blocks(p), 1);
  vec part = splat(1.0f / (float)(p->window_height * p->window_width));
  for (int item = mine.first; item < mine.last; item++) {
    int n = item / channel_blocks(p), first = item % channel_blocks(p) * pooling_channels;
    int last = smaller(first + pooling_channels, p->channels);
    const float *gradient = d_output + (usize)n * p->out_height * p->out_width * p->channels;
    float *target = d_input + n * image_size(p);
    clear_channels(p, target, first, last);
    for (int row = 0; row < p->out_height; row++)
      for (int column = 0; column < p->out_width; column++, gradient += p->channels) {
        struct Window w = window_at(p, row, column);
        for (int c = first; c < last; c += W) {
          int lanes = smaller(W, last - c);
          vec share_of = load_lanes(gradient + c, lanes) * part;
          for (int y = w.top; y < w.bottom; y++)
            for (int x = w.left; x < w.right; x++) {
              float *to = target + ((usize)y * p->in_width + x) * p->channels + c;
              store_lanes(to, load_lanes(to, lanes) + share_of, lanes);
            }
        }
      }
  }
}
