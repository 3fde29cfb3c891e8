/*
 * Runs the target without libFuzzer: usage: fuzz [--seed N] [--iterations N] FILE…
 * Each FILE is run as it is, then mutations of them. With the same arguments the same inputs.
 */
#include "fuzz.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INPUT_MAX = 4096, FILES_MAX = 4096 };

struct input {
  uint8_t *bytes;
  size_t length;
};

static struct input corpus[FILES_MAX];
static size_t corpus_size;
static uint64_t state, seed = 1, iteration, iterations = 1000;

void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

static void say_where(void) {
  fprintf(stderr, "fuzz: seed %" PRIu64 ", iteration %" PRIu64 "\n", seed, iteration);
}

/* Our own checks abort, of which the sanitizers do not tell. */
static void on_abort(int number) {
  say_where();
  signal(number, SIG_DFL);
}

static uint32_t draw(uint32_t below) {
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return (uint32_t)((state * 0x2545f4914f6cdd1d) >> 33) % below;
}

static void load(const char *path) {
  FILE *file = fopen(path, "rb");
  struct input *input = &corpus[corpus_size];
  if (file == NULL || corpus_size == FILES_MAX) {
    fprintf(stderr, "fuzz: cannot read %s\n", path);
    exit(2);
  }
  input->bytes = malloc(INPUT_MAX);
  input->length = fread(input->bytes, 1, INPUT_MAX, file);
  fclose(file);
  corpus_size++;
}

static size_t mutate(uint8_t *bytes, size_t length) {
  for (uint32_t step = draw(6) + 1; step > 0; step--) {
    const struct input *other = &corpus[draw((uint32_t)corpus_size)];
    size_t at = length == 0 ? 0 : draw((uint32_t)length), count = draw(64) + 1;
    switch (draw(6)) {
      case 0:
        if (length > 0) bytes[at] ^= (uint8_t)(1 << draw(8));
        break;
      case 1:
        if (length > 0) bytes[at] = (uint8_t)draw(256);
        break;
      case 2:
        length = at;
        break;
      case 3:
        if (count > length - at) count = length - at;
        memmove(bytes + at, bytes + at + count, length - at - count);
        length -= count;
        break;
      case 4:
        if (count > INPUT_MAX - length) count = INPUT_MAX - length;
        memmove(bytes + at + count, bytes + at, length - at);
        for (size_t i = 0; i < count; i++) bytes[at + i] = (uint8_t)draw(draw(2) == 0 ? 16 : 256);
        length += count;
        break;
      default:
        count = other->length < INPUT_MAX - at ? other->length : INPUT_MAX - at;
        memcpy(bytes + at, other->bytes, count);
        length = at + count > length ? at + count : length;
    }
  }
  return length;
}

int main(int count, char **arguments) {
  for (int i = 1; i < count; i++) {
    if (strcmp(arguments[i], "--seed") == 0 && i + 1 < count) seed = strtoull(arguments[++i], NULL, 10);
    else if (strcmp(arguments[i], "--iterations") == 0 && i + 1 < count) iterations = strtoull(arguments[++i], NULL, 10);
    else load(arguments[i]);
  }
  signal(SIGABRT, on_abort);
  if (__sanitizer_set_death_callback != NULL) __sanitizer_set_death_callback(say_where);
  for (size_t i = 0; i < corpus_size; i++) LLVMFuzzerTestOneInput(corpus[i].bytes, corpus[i].length);
  if (corpus_size == 0) return 2;
  state = seed * 2 + 1;
  for (iteration = 0; iteration < iterations; iteration++) {
    /* exactly as long as the input, so that a read behind it is seen */
    static uint8_t bytes[INPUT_MAX];
    const struct input *from = &corpus[draw((uint32_t)corpus_size)];
    memcpy(bytes, from->bytes, from->length);
    size_t length = mutate(bytes, from->length);
    uint8_t *exact = malloc(length);
    if (length > 0) memcpy(exact, bytes, length);
    LLVMFuzzerTestOneInput(exact, length);
    free(exact);
  }
  for (size_t i = 0; i < corpus_size; i++) free(corpus[i].bytes);
  printf("seed %" PRIu64 ": %zu inputs and %" PRIu64 " mutations\n", seed, corpus_size, iterations);
  return 0;
}
