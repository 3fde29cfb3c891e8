#include "file.h"

#include "tar.h"
#include "task.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { PIECE = 65536 };

/* Where we are, below the directory that is packed. */
static char where[PATH_MAX];

/* What fills up a content, and what ends an archive. */
static const uint8_t zeros[2 * TAR_BLOCK];

static uint8_t waiting[PIECE];
static size_t waiting_length;

static void flush(void) {
  task_send(waiting, waiting_length);
  waiting_length = 0;
}

static void put(const uint8_t *bytes, size_t length) {
  while (length > 0) {
    size_t part = sizeof waiting - waiting_length < length ? sizeof waiting - waiting_length : length;
    memcpy(waiting + waiting_length, bytes, part);
    waiting_length += part;
    bytes += part;
    length -= part;
    if (waiting_length == sizeof waiting) flush();
  }
}

static char type_of(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return TAR_FILE;
    case S_IFDIR:
      return TAR_DIRECTORY;
    case S_IFLNK:
      return TAR_LINK;
    case S_IFCHR:
      return TAR_CHARACTER_DEVICE;
    case S_IFBLK:
      return TAR_BLOCK_DEVICE;
    default:
      /* Tar has no sockets; who reads this takes neither. */
      return TAR_FIFO;
  }
}

static void put_header(const char *name, const struct stat *status, const char *target) {
  static struct tar_entry entry;
  static uint8_t bytes[TAR_HEADER_MOST];
  entry.type = type_of(status->st_mode);
  entry.mode = status->st_mode & 07777;
  entry.size = entry.type == TAR_FILE ? status->st_size : 0;
  entry.mtime = status->st_mtim.tv_sec;
  strcpy(entry.name, name);
  strcpy(entry.target, target);
  put(bytes, tar_write(&entry, bytes));
}

/* One that goes away meanwhile is none. */
static bool is_gone(int error) { return error == ENOENT || error == ENOTDIR || error == ELOOP; }

static void put_file(int directory, const char *name) {
  struct stat status;
  /* What has become a pipe must not be waited for. */
  int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (fd < 0 && is_gone(errno)) return;
  if (fd < 0 || fstat(fd, &status) != 0) task_fail(errno, "Cannot read \"%s\"", where);
  if (!S_ISREG(status.st_mode)) {
    close(fd);
    return;
  }
  put_header(where, &status, "");
  for (int64_t left = status.st_size; left > 0;) {
    size_t room = sizeof waiting - waiting_length;
    ssize_t got = read(fd, waiting + waiting_length, left < (int64_t)room ? (size_t)left : room);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) task_fail(errno, "Cannot read \"%s\" to its end", where);
    if (got == 0) task_fail(ESTALE, "\"%s\" became shorter while it was read", where);
    waiting_length += (size_t)got;
    left -= got;
    if (waiting_length == sizeof waiting) flush();
  }
  close(fd);
  put(zeros, tar_padding(status.st_size));
}

static void put_link(int directory, const char *name, const struct stat *status) {
  static char target[PATH_MAX];
  ssize_t length = readlinkat(directory, name, target, sizeof target - 1);
  if (length < 0 && (is_gone(errno) || errno == EINVAL)) return;
  if (length < 0) task_fail(errno, "Cannot read the link \"%s\"", where);
  target[length] = 0;
  put_header(where, status, target);
}

static void pack(int fd, size_t length);

static void visit(int directory, const char *name, size_t length) {
  struct stat status;
  size_t more = strlen(name);
  if (length + more + 3 > sizeof where) task_fail(ENAMETOOLONG, "Cannot read what is below \"%s\"", where);
  if (length > 0) where[length++] = '/';
  memcpy(where + length, name, more + 1);
  if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
    if (is_gone(errno)) return;
    task_fail(errno, "Cannot look at \"%s\"", where);
  }
  if (S_ISREG(status.st_mode)) {
    put_file(directory, name);
  } else if (S_ISLNK(status.st_mode)) {
    put_link(directory, name, &status);
  } else if (!S_ISDIR(status.st_mode)) {
    put_header(where, &status, "");
  } else {
    int fd = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && is_gone(errno)) return;
    if (fd < 0) task_fail(errno, "Cannot read \"%s\"", where);
    put_header(where, &status, "");
    pack(fd, length + more);
  }
}

/* Closes `fd`. */
static void pack(int fd, size_t length) {
  DIR *directory = fdopendir(fd);
  if (directory == NULL) task_fail(errno, "Cannot read \"%s\"", where);
  for (;;) {
    errno = 0;
    const struct dirent *entry = readdir(directory);
    if (entry == NULL) break;
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    visit(fd, entry->d_name, length);
    where[length] = 0;
  }
  if (errno != 0) task_fail(errno, "Cannot read \"%s\" to its end", where);
  closedir(directory);
}

void file_pack(const struct value *request) {
  char path[PATH_MAX];
  struct stat status;
  file_path(request, "path", path);
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0 || fstat(fd, &status) != 0) task_fail(errno, "Cannot read \"%s\"", path);
  file_raise_limit();
  struct writer writer = task_writer(0);
  task_begin(&writer);
  put_header(".", &status, "");
  pack(fd, 0);
  put(zeros, sizeof zeros);
  flush();
  task_done();
}
