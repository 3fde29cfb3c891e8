#ifndef VIRGA_FUZZ_H
#define VIRGA_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* libFuzzer's entry; the driver calls it too. Aborts when something that must hold does not. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A message as the host may send it. */
void fuzz_message(const uint8_t *data, size_t size);
/* A byte stream, and a script that builds one with right tags. */
void fuzz_channel(const uint8_t *data, size_t size);

#define MUST(condition) ((condition) ? (void)0 : fuzz_failed(#condition, __FILE__, __LINE__))
_Noreturn void fuzz_failed(const char *condition, const char *file, int line);

#endif
