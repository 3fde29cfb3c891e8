#include "file.h"

#include "task.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

/* What is made under this name until it is whole; empty when nothing is. */
static char temporary[PATH_MAX];

void file_temporary_drop(void) {
  if (temporary[0] != 0) unlink(temporary);
  temporary[0] = 0;
}

void file_give_up(int error, const char *path) {
  file_temporary_drop();
  task_fail(error, "Cannot write \"%s\"", path);
}

static void on_terminate(int number) {
  (void)number;
  if (temporary[0] != 0) unlink(temporary);
  _exit(0);
}

/* A name that nobody has, in the directory of `path`; false with errno. */
static bool choose(const char *path) {
  const char *name = strrchr(path, '/');
  int directory_length = name == NULL ? 0 : (int)(name - path) + 1;
  uint64_t number;
  if (getrandom(&number, sizeof number, 0) != sizeof number) return false;
  int used = snprintf(temporary, sizeof temporary, "%.*s.virga-%016llx", directory_length, path, (unsigned long long)number);
  if (used < (int)sizeof temporary) return true;
  temporary[0] = 0;
  errno = ENAMETOOLONG;
  return false;
}

int file_temporary_make(const char *path, const char *target) {
  static bool tidies;
  const struct sigaction terminate = {.sa_handler = on_terminate};
  if (!tidies) tidies = sigaction(SIGTERM, &terminate, NULL) == 0;
  for (int tries = 0; tries < 8; tries++) {
    if (!choose(path)) return -1;
    int made = target != NULL ? symlink(target, temporary)
                              : open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (made >= 0) return made;
    int error = errno;
    temporary[0] = 0;
    errno = error;
    if (error != EEXIST) return -1;
  }
  return -1;
}

int file_temporary_chown(struct owner owner) {
  return fchownat(AT_FDCWD, temporary, owner.uid, owner.gid, AT_SYMLINK_NOFOLLOW);
}

int file_temporary_keep(const char *path) {
  if (rename(temporary, path) != 0) return -1;
  temporary[0] = 0;
  return 0;
}
