#include <stdio.h>
#include <unistd.h>

#include "guard.h"

void stop(int code, const char *what, const char *detail) {
  dprintf(STDERR_FILENO, "virga-passt-guard: %s: %s\n", what, detail);
  _exit(code);
}
