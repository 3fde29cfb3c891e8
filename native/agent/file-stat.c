#include "file.h"

#include "task.h"
#include "utf8.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

void file_write_name(struct writer *writer, const char *name) {
  size_t length = strlen(name), at = 0, step;
  while (at < length && (step = utf8_sequence((const uint8_t *)name + at, length - at)) > 0) at += step;
  if (at == length) write_str(writer, name, length);
  else write_bin(writer, (const uint8_t *)name, length);
}

static const char *type_of(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return "file";
    case S_IFDIR:
      return "directory";
    case S_IFLNK:
      return "link";
    case S_IFIFO:
      return "fifo";
    case S_IFSOCK:
      return "socket";
    case S_IFCHR:
      return "character-device";
    default:
      return "block-device";
  }
}

uint32_t file_status_keys(const struct stat *status, const char *target) {
  (void)status;
  return 6 + (target != NULL ? 1 : 0);
}

void file_write_status(struct writer *writer, const struct stat *status, const char *target) {
  write_key(writer, "type");
  write_key(writer, type_of(status->st_mode));
  write_key(writer, "size");
  write_int(writer, status->st_size);
  write_key(writer, "mode");
  write_int(writer, status->st_mode & 07777);
  write_key(writer, "uid");
  write_int(writer, status->st_uid);
  write_key(writer, "gid");
  write_int(writer, status->st_gid);
  write_key(writer, "mtimeNs");
  write_array(writer, 2);
  write_int(writer, status->st_mtim.tv_sec);
  write_int(writer, status->st_mtim.tv_nsec);
  if (target != NULL) {
    write_key(writer, "target");
    file_write_name(writer, target);
  }
}

void file_stat(const struct value *request) {
  char path[PATH_MAX], target[PATH_MAX];
  struct stat status;
  file_path(request, "path", path);
  bool follow = file_flag(request, "follow", true);
  if ((follow ? stat(path, &status) : lstat(path, &status)) != 0) task_fail(errno, "Cannot look at \"%s\"", path);
  const char *leads_to = NULL;
  if (S_ISLNK(status.st_mode)) {
    ssize_t length = readlink(path, target, sizeof target - 1);
    if (length < 0) task_fail(errno, "Cannot read the link \"%s\"", path);
    target[length] = 0;
    leads_to = target;
  }
  struct writer writer = task_writer(file_status_keys(&status, leads_to));
  file_write_status(&writer, &status, leads_to);
  task_answer(&writer);
}
