#include "file.h"

#include "task.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PIECE = 65536 };

/* What it is to have when it is written. */
struct dress {
  struct owner owner;
  int64_t mode;
  bool timed;
  struct timespec times[2];
};

static void copy(int fd, const char *path, int64_t offset) {
  static uint8_t piece[PIECE];
  if (offset > 0 && lseek(fd, offset, SEEK_SET) < 0) file_give_up(errno, path);
  for (;;) {
    ssize_t got = read(STDIN_FILENO, piece, sizeof piece);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) file_give_up(errno, path);
    if (got == 0) return;
    for (ssize_t done = 0; done < got;) {
      ssize_t put = write(fd, piece + done, (size_t)(got - done));
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) file_give_up(errno, path);
      done += put;
    }
  }
}

int file_dress(int fd, struct owner owner, int64_t mode, const struct timespec times[2]) {
  /* In this order: chown takes bits of the mode away. */
  if (owner_is_given(owner) && fchown(fd, owner.uid, owner.gid) != 0) return -1;
  if (mode >= 0 && fchmod(fd, (mode_t)mode) != 0) return -1;
  return times != NULL ? futimens(fd, times) : 0;
}

static void put_on(const struct dress *dress, int fd, const char *path) {
  if (file_dress(fd, dress->owner, dress->mode, dress->timed ? dress->times : NULL) != 0) file_give_up(errno, path);
}

/* A new file takes the place of what is there, which nobody ever sees half written; what is not asked for stays. */
static void replace(const char *asked, struct dress *dress) {
  char path[PATH_MAX];
  struct stat status;
  bool exists = stat(asked, &status) == 0;
  /* A link stays one: what it leads to is replaced. */
  if (!exists || realpath(asked, path) == NULL) snprintf(path, sizeof path, "%s", asked);
  int fd = file_temporary_make(path, NULL);
  if (fd < 0) file_give_up(errno, asked);
  struct writer writer = task_writer(0);
  task_begin(&writer);
  copy(fd, asked, 0);
  if (exists && !owner_is_given(dress->owner) && (status.st_uid != geteuid() || status.st_gid != getegid())) {
    /* Who may not give files away replaces it by one of his own. */
    if (fchown(fd, status.st_uid, status.st_gid) != 0 && errno != EPERM) file_give_up(errno, asked);
  }
  if (dress->mode < 0) dress->mode = exists ? (int64_t)(status.st_mode & 07777) : 0644;
  put_on(dress, fd, asked);
  if (close(fd) != 0 || file_temporary_keep(path) != 0) file_give_up(errno, asked);
}

static void write_in_place(const char *path, int flags, int64_t offset, const struct dress *dress) {
  int fd = open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC | flags, 0644);
  if (fd < 0) file_give_up(errno, path);
  struct writer writer = task_writer(0);
  task_begin(&writer);
  copy(fd, path, offset);
  put_on(dress, fd, path);
  if (close(fd) != 0) file_give_up(errno, path);
}

void file_write(const struct value *request) {
  char path[PATH_MAX];
  struct stat status;
  struct dress dress;
  file_path(request, "path", path);
  dress.mode = file_number(request, "mode", 0, 07777, -1);
  dress.timed = file_time(request, dress.times);
  int64_t offset = file_number(request, "offset", 0, INT64_MAX / 2, -1);
  bool append = file_flag(request, "append", false);
  dress.owner = file_owner(request);
  if (append && offset >= 0) task_refuse("append and offset exclude each other");
  if (file_flag(request, "parents", false) && file_make_parents(path, dress.owner) != 0) file_give_up(errno, path);
  bool exists = stat(path, &status) == 0;
  if (exists && S_ISDIR(status.st_mode)) file_give_up(EISDIR, path);
  if (append || offset >= 0) write_in_place(path, O_CREAT | (append ? O_APPEND : 0), offset, &dress);
  else if (exists && !S_ISREG(status.st_mode)) write_in_place(path, 0, 0, &dress);
  else replace(path, &dress);
  task_done();
}
