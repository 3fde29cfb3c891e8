#include "system-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int system_file_write(const char *path, const char *text) {
  char temporary[64];
  if (mkdir("/etc", 0755) != 0 && errno != EEXIST) return -1;
  snprintf(temporary, sizeof temporary, "%s.virga", path);
  unlink(temporary);
  int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (fd < 0) return -1;
  size_t length = strlen(text);
  ssize_t put = write(fd, text, length);
  int error = put < 0 ? errno : ENOSPC;
  close(fd);
  if (put == (ssize_t)length && rename(temporary, path) == 0) return 0;
  if (put == (ssize_t)length) error = errno;
  unlink(temporary);
  errno = error;
  return -1;
}
