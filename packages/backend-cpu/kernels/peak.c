// What the machine can do at most, to measure kernels against: multiply-adds in registers, and a copy.
#include "team.h"

// As many sums as hide the latency of a multiply-add, and still fit 16 registers.
enum { peak_sums = 12 };

EXPORT int peak_operations(void) { return 2 * peak_sums * W; }

// `rounds` rounds of `peak_operations` multiplications and additions on each thread; `out` holds a float a thread.
EXPORT void peak_multiply_add(float *out, int rounds, int thread, int threads, int *shared) {
  (void)threads, (void)shared;
  vec sums[peak_sums], factor = load_splat(out + thread), last = splat(0.0f);
  for (int i = 0; i < peak_sums; i++) sums[i] = splat(i);
  for (int round = 0; round < rounds; round++)
    for (int i = 0; i < peak_sums; i++) sums[i] = multiply_add(sums[i], factor, factor);
  for (int i = 0; i < peak_sums; i++) last += sums[i];
  out[thread] = sum_lanes(last);
}

EXPORT void peak_copy(const float *from, float *to, usize size, int thread, int threads, int *shared) {
  struct Team team = {thread, threads, shared};
  struct Range blocks = share(&team, (int)(size / 1024), 1);
  copy_floats(to + (usize)blocks.first * 1024, from + (usize)blocks.first * 1024, (usize)(blocks.last - blocks.first) * 1024);
}
