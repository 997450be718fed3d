// The threads that run one kernel together. Each calls it with the same arguments and a `thread` of its own, works on its
// share of the results, and meets the others where it needs theirs. What a result is summed up from, and in which order, never
// depends on the shares: any number of threads gives the same bits.
#ifndef OSTINATO_TEAM_H
#define OSTINATO_TEAM_H

#include "vector.h"

// Integers of the memory that a team shares; those that change are each on a cache line of their own. Patience is the number
// of seconds after which a thread that has not come counts as lost.
enum { team_arrived = 0, team_meetings = 16, team_broken = 32, team_may_sleep = 48, team_patience = 49 };

struct Team {
  int thread, threads, *shared;
};

// A thread that works for itself.
static const struct Team alone = {0, 1, 0};

struct Range {
  int first, last;
};

// The part of 0 … total that is this thread's, cut between units.
INLINE struct Range share(const struct Team *team, int total, int unit) {
  long long units = (total + unit - 1) / unit;
  int first = (int)(units * team->thread / team->threads) * unit;
  int last = (int)(units * (team->thread + 1) / team->threads) * unit;
  return (struct Range){smaller(first, total), smaller(last, total)};
}

// Of results [outer, inner]: threads share outer rows when there are enough of them, else columns.
struct Area {
  struct Range rows, columns;
};
INLINE struct Area share_area(const struct Team *team, int outer, int inner) {
  if (outer >= team->threads) return (struct Area){share(team, outer, 1), {0, inner}};
  return (struct Area){{0, outer}, share(team, inner, 16)};
}

// Scratch of which every thread has `count` floats of its own.
INLINE float *take_own(const struct Team *team, float **cursor, usize count) {
  float *mine = 0;
  for (int thread = 0; thread < team->threads; thread++) {
    float *start = take(cursor, count);
    if (thread == team->thread) mine = start;
  }
  return mine;
}

#if defined(__wasm__)
enum { spins_before_sleep = 2000 };
// Sleeps while *address is `value`, a second at most; returns the nanoseconds.
INLINE long long sleep_while(int *address, int value) {
  __builtin_wasm_memory_atomic_wait32(address, value, 1000000000ll);
  return 1000000000ll;
}
INLINE void wake_all(int *address) { __builtin_wasm_memory_atomic_notify(address, 0x7fffffff); }
INLINE void relax(void) {}
#else
// Native code has no portable way to be woken, so it waits longer before it sleeps, and sleeps a little at a time.
enum { spins_before_sleep = 20000 };
#if defined(_WIN32)
__declspec(dllimport) void Sleep(unsigned long milliseconds);
INLINE long long sleep_while(int *address, int value) {
  (void)address, (void)value;
  Sleep(1);
  return 1000000ll;
}
#else
#include <time.h>
INLINE long long sleep_while(int *address, int value) {
  (void)address, (void)value;
  struct timespec moment = {0, 50000};
  nanosleep(&moment, 0);
  return 50000ll;
}
#endif
INLINE void wake_all(int *address) { (void)address; }
INLINE void relax(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}
#endif

// Waits until all threads are here. A thread that never comes breaks the team: then nobody waits any more, and the caller of
// the kernel, who looks at `team_broken`, gives the results up.
static __attribute__((noinline)) void meet_others(const struct Team *team) {
  int *arrived = team->shared + team_arrived, *meetings = team->shared + team_meetings;
  int *broken = team->shared + team_broken, may_sleep = team->shared[team_may_sleep];
  int meeting = __atomic_load_n(meetings, __ATOMIC_ACQUIRE);
  if (__atomic_add_fetch(arrived, 1, __ATOMIC_ACQ_REL) == team->threads) {
    __atomic_store_n(arrived, 0, __ATOMIC_RELAXED);
    __atomic_add_fetch(meetings, 1, __ATOMIC_ACQ_REL);
    if (may_sleep) wake_all(meetings);
    return;
  }
  long long slept = 0, spins = 0;
  while (__atomic_load_n(meetings, __ATOMIC_ACQUIRE) == meeting) {
    if (++spins < spins_before_sleep) {
      relax();
      continue;
    }
    if (may_sleep) {
      slept += sleep_while(meetings, meeting);
    } else if (spins % spins_before_sleep == 0) {
      // The page's own thread, which has no clock here: a spin takes about a nanosecond or more.
      slept += spins_before_sleep;
    } else {
      relax();
      continue;
    }
    if (__atomic_load_n(broken, __ATOMIC_ACQUIRE)) return;
    if (slept > team->shared[team_patience] * 1000000000ll) __atomic_store_n(broken, 1, __ATOMIC_RELEASE);
  }
}
INLINE void meet(const struct Team *team) {
  if (team->threads > 1) meet_others(team);
}

#endif
