#include "file.h"

#include "task.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Descriptors of the way down are open at the same time. */
enum { DEPTH_MOST = 200 };

/* Where we are, below the directory that is listed. */
static char where[2 * PATH_MAX];

static void write_entry(int directory, const char *name, const struct stat *status) {
  static uint8_t bytes[4 * PATH_MAX];
  static char target[PATH_MAX];
  struct writer writer = {.bytes = bytes, .capacity = sizeof bytes};
  const char *leads_to = NULL;
  if (S_ISLNK(status->st_mode)) {
    ssize_t length = readlinkat(directory, name, target, sizeof target - 1);
    /* One that cannot be read, or is gone by now, has none. */
    if (length > 0) {
      target[length] = 0;
      leads_to = target;
    }
  }
  write_map(&writer, 1 + file_status_keys(status, leads_to));
  write_key(&writer, "path");
  file_write_name(&writer, where);
  file_write_status(&writer, status, leads_to);
  task_record(&writer);
}

/* One that cannot be read is told of, and the others go on. */
static void write_unread(int error) {
  static uint8_t bytes[3 * PATH_MAX];
  struct writer writer = {.bytes = bytes, .capacity = sizeof bytes};
  write_map(&writer, 2);
  write_key(&writer, "path");
  file_write_name(&writer, where);
  write_key(&writer, "errno");
  write_int(&writer, error);
  task_record(&writer);
}

static void list(int fd, size_t length, int64_t depth);

static void visit(int directory, const char *name, size_t length, int64_t depth) {
  struct stat status;
  size_t more = strlen(name);
  if (length + more + 2 > sizeof where) {
    write_unread(ENAMETOOLONG);
    return;
  }
  if (length > 0) where[length++] = '/';
  memcpy(where + length, name, more + 1);
  /* It may be gone by now. */
  if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) != 0) return;
  write_entry(directory, name, &status);
  if (!S_ISDIR(status.st_mode) || depth <= 1) return;
  int fd = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) write_unread(errno);
  else list(fd, length + more, depth - 1);
}

/* Closes `fd`. */
static void list(int fd, size_t length, int64_t depth) {
  DIR *directory = fdopendir(fd);
  const struct dirent *entry;
  if (directory == NULL) {
    write_unread(errno);
    close(fd);
    return;
  }
  while ((entry = readdir(directory)) != NULL) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    visit(fd, entry->d_name, length, depth);
    where[length] = 0;
  }
  closedir(directory);
}

void file_list(const struct value *request) {
  char path[PATH_MAX];
  file_path(request, "path", path);
  int64_t depth = file_number(request, "depth", 1, DEPTH_MOST, 1);
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) task_fail(errno, "Cannot list \"%s\"", path);
  struct writer writer = task_writer(0);
  task_begin(&writer);
  list(fd, 0, depth);
  task_done();
}
