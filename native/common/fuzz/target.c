#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz_message(data, size);
  fuzz_channel(data, size);
  return 0;
}
