#include "file.h"

#include "task.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum { PIECE = 65536 };

/* What the file is written as until it is whole; empty when it is written in place. */
static char temporary[PATH_MAX];

static void drop_temporary(void) {
  if (temporary[0] != 0) unlink(temporary);
}

static void on_terminate(int number) {
  (void)number;
  drop_temporary();
  _exit(0);
}

static _Noreturn void give_up(int error, const char *path) {
  drop_temporary();
  temporary[0] = 0;
  task_fail(error, "Cannot write \"%s\"", path);
}

/* A file of another name in the same directory. */
static int open_temporary(const char *path) {
  const char *name = strrchr(path, '/');
  int directory_length = name == NULL ? 0 : (int)(name - path) + 1;
  for (int tries = 0; tries < 8; tries++) {
    uint64_t number;
    if (getrandom(&number, sizeof number, 0) != sizeof number) return -1;
    int used = snprintf(temporary, sizeof temporary, "%.*s.virga-%016llx", directory_length, path,
                        (unsigned long long)number);
    if (used >= (int)sizeof temporary) {
      temporary[0] = 0;
      errno = ENAMETOOLONG;
      return -1;
    }
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd >= 0) return fd;
    int error = errno;
    temporary[0] = 0;
    errno = error;
    if (error != EEXIST) return -1;
  }
  return -1;
}

static void copy(int fd, const char *path, int64_t offset) {
  static uint8_t piece[PIECE];
  if (offset > 0 && lseek(fd, offset, SEEK_SET) < 0) give_up(errno, path);
  for (;;) {
    ssize_t got = read(STDIN_FILENO, piece, sizeof piece);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) give_up(errno, path);
    if (got == 0) return;
    for (ssize_t done = 0; done < got;) {
      ssize_t put = write(fd, piece + done, (size_t)(got - done));
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) give_up(errno, path);
      done += put;
    }
  }
}

/* In this order: chown takes bits of the mode away. */
static void dress(int fd, const char *path, struct owner owner, int64_t mode) {
  if ((owner.uid != (uid_t)-1 || owner.gid != (gid_t)-1) && fchown(fd, owner.uid, owner.gid) != 0) give_up(errno, path);
  if (mode >= 0 && fchmod(fd, (mode_t)mode) != 0) give_up(errno, path);
}

/* A new file takes the place of what is there, which nobody ever sees half written; what is not asked for stays. */
static void replace(const char *asked, struct owner owner, int64_t mode) {
  char path[PATH_MAX];
  struct stat status;
  bool exists = stat(asked, &status) == 0;
  /* A link stays one: what it leads to is replaced. */
  if (!exists || realpath(asked, path) == NULL) snprintf(path, sizeof path, "%s", asked);
  int fd = open_temporary(path);
  if (fd < 0) give_up(errno, asked);
  struct writer writer = task_writer(0);
  task_begin(&writer);
  copy(fd, asked, 0);
  if (exists && owner.uid == (uid_t)-1 && owner.gid == (gid_t)-1 &&
      (status.st_uid != geteuid() || status.st_gid != getegid())) {
    /* Who may not give files away replaces it by one of his own. */
    if (fchown(fd, status.st_uid, status.st_gid) != 0 && errno != EPERM) give_up(errno, asked);
  }
  if (mode < 0) mode = exists ? (int64_t)(status.st_mode & 07777) : 0644;
  dress(fd, asked, owner, mode);
  if (close(fd) != 0 || rename(temporary, path) != 0) give_up(errno, asked);
  temporary[0] = 0;
}

static void write_in_place(const char *path, int flags, int64_t offset, struct owner owner, int64_t mode) {
  int fd = open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC | flags, 0644);
  if (fd < 0) give_up(errno, path);
  struct writer writer = task_writer(0);
  task_begin(&writer);
  copy(fd, path, offset);
  dress(fd, path, owner, mode);
  if (close(fd) != 0) give_up(errno, path);
}

void file_write(const struct value *request) {
  char path[PATH_MAX];
  struct stat status;
  const struct sigaction terminate = {.sa_handler = on_terminate};
  file_path(request, "path", path);
  int64_t mode = file_number(request, "mode", 0, 07777, -1);
  int64_t offset = file_number(request, "offset", 0, INT64_MAX / 2, -1);
  bool append = file_flag(request, "append", false);
  struct owner owner = file_owner(request);
  if (append && offset >= 0) task_refuse("append and offset exclude each other");
  if (file_flag(request, "parents", false) && file_make_parents(path, owner) != 0) give_up(errno, path);
  sigaction(SIGTERM, &terminate, NULL);
  bool exists = stat(path, &status) == 0;
  if (exists && S_ISDIR(status.st_mode)) give_up(EISDIR, path);
  if (append || offset >= 0) write_in_place(path, O_CREAT | (append ? O_APPEND : 0), offset, owner, mode);
  else if (exists && !S_ISREG(status.st_mode)) write_in_place(path, 0, 0, owner, mode);
  else replace(path, owner, mode);
  task_done();
}
