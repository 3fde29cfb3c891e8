#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>

void fuzz_failed(const char *condition, const char *file, int line) {
  fprintf(stderr, "%s:%d: must hold: %s\n", file, line, condition);
  abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz_message(data, size);
  fuzz_channel(data, size);
  return 0;
}
