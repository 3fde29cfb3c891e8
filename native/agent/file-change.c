#include "file.h"

#include "task.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#endif

static void answer(void) {
  struct writer writer = task_writer(0);
  task_answer(&writer);
}

/* A new directory, of which somebody may make a link meanwhile: that is not followed. */
static void dress(const char *path, struct owner owner, int64_t mode) {
  bool owned = owner_is_given(owner);
  if (!owned && mode < 0) return;
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) task_fail(errno, "Cannot open \"%s\"", path);
  /* In this order: chown takes bits of the mode away. */
  if (owned && fchown(fd, owner.uid, owner.gid) != 0) task_fail(errno, "Cannot give \"%s\" away", path);
  if (mode >= 0 && fchmod(fd, (mode_t)mode) != 0) task_fail(errno, "Cannot set the mode of \"%s\"", path);
  close(fd);
}

void file_mkdir(const struct value *request) {
  char path[PATH_MAX];
  struct stat status;
  file_new_directory(request, path);
  int64_t mode = file_number(request, "mode", 0, 07777, -1);
  bool parents = file_flag(request, "parents", false);
  struct owner owner = file_owner(request);
  if (parents && file_make_parents(path, owner) != 0) task_fail(errno, "Cannot make \"%s\"", path);
  if (mkdir(path, 0755) == 0) {
    dress(path, owner, mode);
  } else {
    int error = errno;
    /* One that is there already will do, as it is. */
    if (!parents || error != EEXIST || stat(path, &status) != 0 || !S_ISDIR(status.st_mode)) {
      task_fail(error, "Cannot make \"%s\"", path);
    }
  }
  answer();
}

void file_raise_limit(void) {
  struct rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
}

/* Removes a tree without following links; 0, or -1 with errno. */
static int remove_tree(int parent, const char *name) {
  if (unlinkat(parent, name, 0) == 0) return 0;
  if (errno != EISDIR && errno != EPERM) return -1;
  int error = errno, fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) {
    /* Not a directory: then the first refusal is the reason. */
    if (errno == ENOTDIR || errno == ELOOP) errno = error;
    return -1;
  }
  DIR *directory = fdopendir(fd);
  int failed = directory == NULL ? errno : 0;
  while (failed == 0) {
    errno = 0;
    const struct dirent *entry = readdir(directory);
    if (entry == NULL) {
      failed = errno;
      break;
    }
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    if (remove_tree(fd, entry->d_name) != 0 && errno != ENOENT) failed = errno;
  }
  if (directory != NULL) closedir(directory);
  else close(fd);
  errno = failed;
  return failed == 0 ? unlinkat(parent, name, AT_REMOVEDIR) : -1;
}

void file_remove(const struct value *request) {
  char path[PATH_MAX];
  struct stat status;
  file_path(request, "path", path);
  bool recursive = file_flag(request, "recursive", false), missing_ok = file_flag(request, "missingOk", false);
  int result;
  if (recursive) {
    file_raise_limit();
    result = remove_tree(AT_FDCWD, path);
  } else if (lstat(path, &status) == 0 && S_ISDIR(status.st_mode)) result = rmdir(path);
  else result = unlink(path);
  if (result != 0 && !(missing_ok && errno == ENOENT)) task_fail(errno, "Cannot remove \"%s\"", path);
  answer();
}

void file_rename(const struct value *request) {
  char from[PATH_MAX], to[PATH_MAX];
  file_path(request, "from", from);
  file_path(request, "to", to);
  bool replace = file_flag(request, "replace", true);
  if (syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, replace ? 0 : RENAME_NOREPLACE) != 0) {
    task_fail(errno, "Cannot rename \"%s\" to \"%s\"", from, to);
  }
  answer();
}

void file_symlink(const struct value *request) {
  char path[PATH_MAX], target[PATH_MAX];
  file_path(request, "path", path);
  file_path(request, "target", target);
  struct owner owner = file_owner(request);
  if (symlink(target, path) != 0) task_fail(errno, "Cannot make the link \"%s\"", path);
  if (owner_is_given(owner) && lchown(path, owner.uid, owner.gid) != 0) {
    task_fail(errno, "Cannot give \"%s\" away", path);
  }
  answer();
}
