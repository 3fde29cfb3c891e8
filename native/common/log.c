#include "log.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static const char *name = "virga";
static int kernel_log = -1;

void log_open(const char *program) {
  name = program;
  if (getpid() == 1) kernel_log = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
}

void log_line(const char *format, ...) {
  char line[512];
  /* <3>: an error, which `quiet` does not hide */
  int start = snprintf(line, sizeof line, "%s%s: ", kernel_log >= 0 ? "<3>" : "", name);
  va_list arguments;
  va_start(arguments, format);
  int more = vsnprintf(line + start, sizeof line - (size_t)start - 1, format, arguments);
  va_end(arguments);
  size_t length = (size_t)start + (size_t)(more < 0 ? 0 : more);
  if (length > sizeof line - 2) length = sizeof line - 2;
  line[length++] = '\n';
  if (write(kernel_log >= 0 ? kernel_log : STDERR_FILENO, line, length) < 0) return;
}
