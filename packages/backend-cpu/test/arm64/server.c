// Runs kernels for a test in another process, under an emulator of the processor: `server MEMORY`, where MEMORY is a file that
// holds the backend's memory. Reads calls, a name and numbers on a line each, and answers with the result on a line.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernels.c"

static char *base;
static char *cursor;

static double number(void) { return strtod(cursor, &cursor); }
// 0 stays 0: an absent operand.
static void *address(void) {
  usize offset = (usize)number();
  return offset == 0 ? 0 : base + offset;
}

static double call(const char *name) {
#include "dispatch.inc"
  fprintf(stderr, "no kernel %s\n", name);
  exit(2);
}

int main(int count, char **arguments) {
  static char line[4096];
  int file = count == 2 ? open(arguments[1], O_RDWR) : -1;
  struct stat status;
  if (file < 0 || fstat(file, &status) != 0) return 1;
  base = mmap(0, (size_t)status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (base == MAP_FAILED) return 1;
  while (fgets(line, sizeof line, stdin)) {
    cursor = strchr(line, ' ');
    if (cursor == 0) return 1;
    *cursor++ = 0;
    printf("%.17g\n", call(line));
    fflush(stdout);
  }
  return 0;
}
