#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "launcher.h"

// Longer ones are cut: the kernel takes no longer path, and each byte may need six ("\u0001").
enum { MAX_TEXT_BYTES = PATH_MAX };

struct line {
  size_t length;
  char bytes[6 * MAX_TEXT_BYTES + 256];
};

static void append_bytes(struct line *line, const char *bytes, size_t count) {
  memcpy(line->bytes + line->length, bytes, count);
  line->length += count;
}

static void append(struct line *line, const char *text) { append_bytes(line, text, strlen(text)); }

static void append_number(struct line *line, int number) {
  char digits[16];
  size_t at = sizeof digits;
  do {
    digits[--at] = (char)('0' + number % 10);
    number /= 10;
  } while (number > 0);
  append_bytes(line, digits + at, sizeof digits - at);
}

// The length of the UTF-8 sequence that `bytes` starts with, 0 when it is not one (RFC 3629: no overlong forms, no
// surrogates, nothing above U+10FFFF).
static size_t utf8_length(const unsigned char *bytes, size_t available) {
  unsigned char first = bytes[0];
  if (first < 0x80) return 1;
  size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || length > available) return 0;
  unsigned char low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  unsigned char high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  if (bytes[1] < low || bytes[1] > high) return 0;
  for (size_t i = 2; i < length; i++) {
    if (bytes[i] < 0x80 || bytes[i] > 0xbf) return 0;
  }
  return length;
}

// A path may hold any bytes; what is not UTF-8 becomes U+FFFD, so that the line is always JSON.
static void append_string(struct line *line, const char *text) {
  static const char HEX[] = "0123456789abcdef";
  const unsigned char *bytes = (const unsigned char *)text;
  size_t left = strnlen(text, MAX_TEXT_BYTES);
  append(line, "\"");
  while (left > 0) {
    size_t length = utf8_length(bytes, left);
    if (length == 0) {
      append(line, "\\ufffd");
      length = 1;
    } else if (*bytes == '"' || *bytes == '\\') {
      const char escaped[] = {'\\', (char)*bytes};
      append_bytes(line, escaped, sizeof escaped);
    } else if (*bytes < 0x20) {
      const char escaped[] = {'\\', 'u', '0', '0', HEX[*bytes >> 4], HEX[*bytes & 0xf]};
      append_bytes(line, escaped, sizeof escaped);
    } else {
      append_bytes(line, (const char *)bytes, length);
    }
    bytes += length;
    left -= length;
  }
  append(line, "\"");
}

// Names of what these steps meet; strerrorname_np() is not in musl. NULL: the number must do.
static const char *error_name(int error) {
#define NAME(code) \
  case code:       \
    return #code
  switch (error) {
    NAME(E2BIG);
    NAME(EACCES);
    NAME(EAGAIN);
    NAME(EBADF);
    NAME(EBUSY);
    NAME(ECONNRESET);
    NAME(EFAULT);
    NAME(EINVAL);
    NAME(EIO);
    NAME(EISDIR);
    NAME(ELIBBAD);
    NAME(ELOOP);
    NAME(EMFILE);
    NAME(ENAMETOOLONG);
    NAME(ENFILE);
    NAME(ENODEV);
    NAME(ENOENT);
    NAME(ENOEXEC);
    NAME(ENOMEM);
    NAME(ENOSPC);
    NAME(ENOSYS);
    NAME(ENOTDIR);
    NAME(EOPNOTSUPP);
    NAME(ENXIO);
    NAME(EPERM);
    NAME(EPROTO);
    NAME(EROFS);
    NAME(ESRCH);
    NAME(ETXTBSY);
    NAME(EUSERS);
    default:
      return NULL;
  }
#undef NAME
}

// Best effort: with the manager gone nobody reads it, and the exit code remains.
static void send_line(int fd, const struct line *line) {
  size_t sent = 0;
  while (sent < line->length) {
    // Not write(), which on a closed socket would raise SIGPIPE and hide the exit code.
    ssize_t count = send(fd, line->bytes + sent, line->length - sent, MSG_NOSIGNAL);
    if (count < 0 && errno == ENOTSOCK) count = write(fd, line->bytes + sent, line->length - sent);
    if (count >= 0) {
      sent += (size_t)count;
    } else if (errno == EAGAIN) {
      struct pollfd writable = {.fd = fd, .events = POLLOUT};
      if (poll(&writable, 1, -1) < 0 && errno != EINTR) return;
    } else if (errno != EINTR) {
      return;
    }
  }
}

bool can_report(void) {
  struct stat status;
  return fstat(REPORT_FD, &status) == 0 && (S_ISSOCK(status.st_mode) || S_ISFIFO(status.st_mode));
}

// A go byte left unread (it came after a step failed that precedes it) would turn the manager's end of file into
// ECONNRESET. Closed for reading first: then none can come between the last read and the exit.
static void drain(int fd) {
  char bytes[64];
  shutdown(fd, SHUT_RD);
  while (recv(fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0) {
  }
}

static void report(const char *step, int error, const char *path) {
  // Descriptor 3 of a careless caller may be anything, a file of its own included.
  if (!can_report()) return;
  static struct line line;
  append(&line, "{\"step\":\"");
  append(&line, step);
  append(&line, "\",\"errno\":");
  append_number(&line, error);
  const char *name = error_name(error);
  if (name != NULL) {
    append(&line, ",\"code\":\"");
    append(&line, name);
    append(&line, "\"");
  }
  if (path != NULL) {
    append(&line, ",\"path\":");
    append_string(&line, path);
  }
  append(&line, "}\n");
  send_line(REPORT_FD, &line);
  drain(REPORT_FD);
}

void fail(const char *step, int error, const char *path) {
  report(step, error, path);
  _exit(EXIT_STEP_FAILED);
}

void fail_usage(const char *problem, const char *argument) {
  static struct line line;
  append(&line, "virga-launcher: ");
  append(&line, problem);
  if (argument != NULL) {
    append(&line, ": ");
    append_string(&line, argument);
  }
  append(&line, "\n");
  send_line(STDERR_FILENO, &line);
  report("usage", EINVAL, NULL);
  _exit(EXIT_USAGE);
}
