#include "operations.h"
#include "request.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MIB_MAX = 65536, PAGE = 4096 };
static const size_t MIB = (size_t)1 << 20;

static uint64_t *memory;
static size_t memory_mib;

/* xorshift64*: pages differ from each other, so that none can be merged, compressed or guessed. */
static void write_pattern(size_t mib, uint64_t seed) {
  uint64_t state = seed * 2 + 1;
  for (size_t i = 0; i < mib * MIB / sizeof *memory; i++) {
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    memory[i] = state * 0x2545f4914f6cdd1d;
  }
}

static bool read_arguments(struct connection *connection, const struct value *request, int64_t most, int64_t *mib,
                           int64_t *seed) {
  *seed = 0;
  if (request_int(request, "mib", 1, most, mib) != KEY_OK ||
      request_int(request, "seed", 0, INT64_MAX, seed) == KEY_WRONG) {
    connection_fail(connection, "BAD_REQUEST", 0, "mib or seed is missing or out of range");
    return false;
  }
  return true;
}

void run_fill(struct connection *connection, const struct value *request) {
  int64_t mib, seed;
  if (!read_arguments(connection, request, MIB_MAX, &mib, &seed)) return;
  if (memory != NULL) munmap(memory, memory_mib * MIB);
  memory = NULL;
  memory_mib = 0;
  void *fresh = mmap(NULL, (size_t)mib * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (fresh == MAP_FAILED) {
    fail_errno(connection, "map memory");
    return;
  }
  memory = fresh;
  memory_mib = (size_t)mib;
  write_pattern(memory_mib, (uint64_t)seed);
  connection_ok(connection);
}

void run_touch(struct connection *connection, const struct value *request) {
  int64_t mib, seed;
  if (!read_arguments(connection, request, (int64_t)memory_mib, &mib, &seed)) return;
  write_pattern((size_t)mib, (uint64_t)seed);
  connection_ok(connection);
}

void run_hash(struct connection *connection, const struct value *request) {
  (void)request;
  uint64_t hash = 0xcbf29ce484222325;
  for (size_t i = 0; i < memory_mib * MIB / sizeof *memory; i++) hash = (hash ^ memory[i]) * 0x100000001b3;
  char text[17];
  snprintf(text, sizeof text, "%016llx", (unsigned long long)hash);
  struct writer writer = answer(2);
  write_key(&writer, "hash");
  write_key(&writer, text);
  write_key(&writer, "mib");
  write_int(&writer, (int64_t)memory_mib);
  send_answer(connection, &writer);
}

/* Counts what lies in the machine's memory below 4 GiB and above it; -1 with errno when it cannot be told. */
static int count_sides(int fd, int64_t *low, int64_t *high) {
  static const uint64_t PRESENT = (uint64_t)1 << 63, FRAME = ((uint64_t)1 << 55) - 1;
  static uint64_t entries[(1 << 20) / PAGE];
  for (size_t mib = 0; mib < memory_mib; mib++) {
    size_t first = ((uintptr_t)memory + mib * MIB) / PAGE;
    if (pread(fd, entries, sizeof entries, (off_t)(first * sizeof *entries)) != sizeof entries) return -1;
    for (size_t j = 0; j < sizeof entries / sizeof *entries; j++) {
      uint64_t frame = entries[j] & FRAME;
      if (!(entries[j] & PRESENT) || frame == 0) {
        errno = EPERM;
        return -1;
      }
      if (frame * PAGE < (uint64_t)1 << 32) ++*low;
      else ++*high;
    }
  }
  return 0;
}

void run_sides(struct connection *connection, const struct value *request) {
  (void)request;
  int64_t low = 0, high = 0;
  int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  int result = fd < 0 ? -1 : count_sides(fd, &low, &high);
  if (result != 0) fail_errno(connection, "see where the memory lies");
  if (fd >= 0) close(fd);
  if (result != 0) return;
  struct writer writer = answer(2);
  write_key(&writer, "low");
  write_int(&writer, low);
  write_key(&writer, "high");
  write_int(&writer, high);
  send_answer(connection, &writer);
}
