#include "file.h"

#include "task.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/sendfile.h>
#include <unistd.h>

enum { PIECE = 65536, LENT_MOST = 1048576 };

/* Has the kernel put the file's pages into the pipe, which copies nothing. How many bytes went, until the end or until it cannot. */
static int64_t lend(int fd, int64_t most) {
  int64_t done = 0;
  while (done < most) {
    ssize_t put = sendfile(STDOUT_FILENO, fd, NULL, (size_t)(most - done < LENT_MOST ? most - done : LENT_MOST));
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) break;
    done += put;
  }
  return done;
}

void file_read(const struct value *request) {
  static uint8_t piece[PIECE];
  char path[PATH_MAX];
  struct stat status;
  file_path(request, "path", path);
  int64_t offset = file_number(request, "offset", 0, INT64_MAX / 2, 0);
  int64_t left = file_number(request, "length", 0, INT64_MAX / 2, INT64_MAX);
  int fd = open(path, O_RDONLY | O_NOCTTY | O_CLOEXEC);
  if (fd < 0 || fstat(fd, &status) != 0) task_fail(errno, "Cannot read \"%s\"", path);
  if (S_ISDIR(status.st_mode)) task_fail(EISDIR, "Cannot read \"%s\"", path);
  if (offset > 0 && lseek(fd, offset, SEEK_SET) < 0) task_fail(errno, "Cannot read \"%s\" from %lld", path, (long long)offset);
  struct writer writer = task_writer(file_status_keys(&status, NULL));
  file_write_status(&writer, &status, NULL);
  task_begin(&writer);
  left -= lend(fd, left);
  /* What cannot be lent, such as a device; and whoever failed says here why. */
  while (left > 0) {
    ssize_t got = read(fd, piece, left < PIECE ? (size_t)left : PIECE);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) task_fail(errno, "Cannot read \"%s\" to its end", path);
    if (got == 0) break;
    task_send(piece, (size_t)got);
    left -= got;
  }
  task_done();
}
