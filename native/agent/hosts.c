#include "hosts.h"

#include "system-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A file that is larger is left alone: it is somebody's block list. */
enum { HOSTS_MAX = 65536, ADDED_MAX = 512 };

static const char path[] = "/etc/hosts";
/* Which line is ours. */
static const char mark[] = "\t# this machine";

static bool is_ours(const char *line, size_t length) {
  size_t marked = sizeof mark - 1;
  return length >= marked && memcmp(line + length - marked, mark, marked) == 0;
}

/* All lines but ours; how long they are. */
static size_t take_others(const char *text, char *result) {
  size_t length = 0;
  while (*text != 0) {
    size_t line = strcspn(text, "\n"), whole = text[line] == 0 ? line : line + 1;
    if (!is_ours(text, line)) {
      memcpy(result + length, text, whole);
      length += whole;
    }
    text += whole;
  }
  if (length > 0 && result[length - 1] != '\n') result[length++] = '\n';
  result[length] = 0;
  return length;
}

static int rewrite(char *text, char *result, const char *hostname) {
  int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  ssize_t length = fd < 0 ? 0 : read(fd, text, HOSTS_MAX);
  if (fd >= 0) close(fd);
  if (length == HOSTS_MAX) return 0;
  text[length > 0 ? length : 0] = 0;
  size_t used = take_others(text, result);
  const char *local = strstr(result, "localhost") != NULL ? "" : "127.0.0.1\tlocalhost\n::1\tlocalhost\n";
  snprintf(result + used, ADDED_MAX, "%s127.0.1.1\t%s%s\n", local, hostname, mark);
  return system_file_write(path, result);
}

int hosts_write(const char *hostname) {
  char *text = malloc(HOSTS_MAX + 1), *result = malloc(HOSTS_MAX + 2 + ADDED_MAX);
  int written = -1;
  errno = ENOMEM;
  if (text != NULL && result != NULL) written = rewrite(text, result, hostname);
  int error = errno;
  free(text);
  free(result);
  errno = error;
  return written;
}
