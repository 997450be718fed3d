// What the native libraries carry besides the kernels. Compiled for the least processor of its kind, so that it can be asked
// before anything else of the library may run.
#if defined(_WIN32)
#define EXPORT __attribute__((dllexport))
#else
#define EXPORT __attribute__((visibility("default")))
#endif
typedef __SIZE_TYPE__ usize;

#if defined(__x86_64__)
#include <cpuid.h>

static int all_of(unsigned flags, unsigned wanted) { return (flags & wanted) == wanted; }

// 3 or 4: the highest of the levels x86-64-v3 (AVX2, FMA) and x86-64-v4 (AVX-512 F, BW, CD, DQ, VL) that the processor has
// and the system saves the registers of; 0 when neither. The levels are those of the System V ABI.
EXPORT int processor_level(void) {
  unsigned a, b, c, d, saved, high;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return 0;
  // FMA, MOVBE, OSXSAVE, AVX, F16C
  if (!all_of(c, 1u << 12 | 1u << 22 | 1u << 27 | 1u << 28 | 1u << 29)) return 0;
  __asm__ volatile("xgetbv" : "=a"(saved), "=d"(high) : "c"(0));
  if (!all_of(saved, 0x06)) return 0;
  // LZCNT
  if (!__get_cpuid(0x80000001, &a, &b, &c, &d) || !all_of(c, 1u << 5)) return 0;
  // BMI1, AVX2, BMI2
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !all_of(b, 1u << 3 | 1u << 5 | 1u << 8)) return 0;
  return all_of(saved, 0xe6) && all_of(b, 1u << 16 | 1u << 17 | 1u << 28 | 1u << 30 | 1u << 31) ? 4 : 3;
}
#else
EXPORT int processor_level(void) { return 0; }
#endif

// Where a typed array lies: the caller passes it as a pointer and gets the number.
EXPORT usize address_of(const void *values) { return (usize)values; }

// Asks for pages of 2 MB where Linux gives them on request ("madvise"): a step of generation reads each weight once, and with
// small pages waits for translations of addresses. Nothing else depends on whether they come.
#if defined(__linux__)
#include <sys/mman.h>
EXPORT int advise_huge_pages(void *start, usize bytes) { return madvise(start, bytes, MADV_HUGEPAGE); }
#else
EXPORT int advise_huge_pages(void *start, usize bytes) { return (void)start, (void)bytes, -1; }
#endif
