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

enum { spins_before_sleep = 2000 };

// Sleeps until *address is no longer `value`, a second at most; where nothing can wake a sleeper it returns at once.
INLINE void sleep_while(int *address, int value) {
#if defined(__wasm__)
  __builtin_wasm_memory_atomic_wait32(address, value, 1000000000ll);
#else
  (void)address, (void)value;
#endif
}
INLINE void wake_all(int *address) {
#if defined(__wasm__)
  __builtin_wasm_memory_atomic_notify(address, 0x7fffffff);
#else
  (void)address;
#endif
}

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
  for (int spins = 0, sleeps = 0; __atomic_load_n(meetings, __ATOMIC_ACQUIRE) == meeting; spins++) {
    if (spins < spins_before_sleep || !may_sleep) continue;
    if (__atomic_load_n(broken, __ATOMIC_ACQUIRE)) return;
    if (sleeps++ == team->shared[team_patience]) __atomic_store_n(broken, 1, __ATOMIC_RELEASE);
    sleep_while(meetings, meeting);
  }
}
INLINE void meet(const struct Team *team) {
  if (team->threads > 1) meet_others(team);
}

#endif
