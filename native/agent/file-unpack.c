#include "file.h"

#include "tar.h"
#include "task.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PIECE = 65536 };

static uint8_t piece[PIECE];
static size_t piece_at, piece_length;

/* A directory on the way to what comes next. It gets its mode and time when all in it is there. */
struct level {
  /* Of its path, which is the beginning of `current`; 0 for what all is unpacked into. */
  size_t length;
  uint32_t mode;
  int64_t mtime;
  /* One that was there already stays as it is. */
  bool made;
};

static char current[PATH_MAX];
static struct level levels[PATH_MAX / 2 + 1];
static size_t depth;
static struct owner owner;

/* How many bytes there are to take, 0 at the end. */
static size_t fill(void) {
  while (piece_at == piece_length) {
    ssize_t got = read(STDIN_FILENO, piece, sizeof piece);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) task_fail(errno, "Cannot read the archive");
    if (got == 0) return 0;
    piece_at = 0;
    piece_length = (size_t)got;
  }
  return piece_length - piece_at;
}

static void take(uint8_t *to, size_t length) {
  while (length > 0) {
    size_t part = fill();
    if (part == 0) {
      file_temporary_drop();
      task_refuse("The archive is cut short");
    }
    if (part > length) part = length;
    if (to != NULL) {
      memcpy(to, piece + piece_at, part);
      to += part;
    }
    piece_at += part;
    length -= part;
  }
}

static int dress(int fd, uint32_t mode, int64_t mtime) {
  const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = mtime}};
  return file_dress(fd, owner, mode, times);
}

static void leave(void) {
  const struct level *level = &levels[--depth];
  current[level->length] = 0;
  const char *name = level->length == 0 ? "." : current;
  if (level->made) {
    int fd = open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || dress(fd, level->mode, level->mtime) != 0) file_give_up(errno, name);
    close(fd);
  }
  if (depth > 0) current[levels[depth - 1].length] = 0;
}

/* Ends the directories that an entry is not in; false when its own is none of the others. */
static bool go_to_parent(const char *name) {
  for (; depth > 0; leave()) {
    size_t length = levels[depth - 1].length;
    if (length == 0) return strchr(name, '/') == NULL;
    if (strncmp(name, current, length) == 0 && name[length] == '/') return strchr(name + length + 1, '/') == NULL;
  }
  return false;
}

static bool is_name(const char *name) { return name[0] != 0 && strcmp(name, ".") != 0 && strcmp(name, "..") != 0; }

static void make_directory(const struct tar_entry *entry) {
  struct stat status;
  struct level *level = &levels[depth];
  bool made = mkdir(entry->name, 0700) == 0;
  if (!made) {
    /* One that is there may also answer EACCES or EROFS. A link to one will do. */
    int error = errno;
    if (stat(entry->name, &status) != 0) file_give_up(error, entry->name);
    if (!S_ISDIR(status.st_mode)) file_give_up(ENOTDIR, entry->name);
  }
  *level = (struct level){.length = strlen(entry->name), .mode = entry->mode, .mtime = entry->mtime, .made = made};
  memcpy(current, entry->name, level->length + 1);
  depth++;
}

static void make_link(const struct tar_entry *entry) {
  if (entry->target[0] == 0) task_refuse("The link \"%s\" leads nowhere", entry->name);
  bool made = file_temporary_make(entry->name, entry->target) >= 0 && (!owner_is_given(owner) || file_temporary_chown(owner) == 0);
  if (!made || file_temporary_keep(entry->name) != 0) file_give_up(errno, entry->name);
}

static void make_file(const struct tar_entry *entry) {
  int fd = file_temporary_make(entry->name, NULL);
  if (fd < 0) file_give_up(errno, entry->name);
  for (int64_t left = entry->size; left > 0;) {
    size_t part = fill();
    if (part == 0) take(NULL, 1);
    if ((int64_t)part > left) part = (size_t)left;
    ssize_t put = write(fd, piece + piece_at, part);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) file_give_up(errno, entry->name);
    piece_at += (size_t)put;
    left -= put;
  }
  take(NULL, tar_padding(entry->size));
  bool whole = dress(fd, entry->mode, entry->mtime) == 0;
  if (close(fd) != 0 || !whole || file_temporary_keep(entry->name) != 0) file_give_up(errno, entry->name);
}

static void make(struct tar_entry *entry) {
  size_t length = strlen(entry->name);
  if (length > 1 && entry->name[length - 1] == '/') entry->name[--length] = 0;
  /* What all is unpacked into; its mode counts only when it was made here. */
  if (strcmp(entry->name, ".") == 0 && entry->type == TAR_DIRECTORY && depth == 1 && levels[0].length == 0) {
    levels[0].mode = entry->mode;
    levels[0].mtime = entry->mtime;
    return;
  }
  const char *slash = strrchr(entry->name, '/');
  if (entry->name[0] == '/' || !is_name(slash == NULL ? entry->name : slash + 1) || !go_to_parent(entry->name)) {
    task_refuse("The archive has the name \"%s\" in a place where it must not be", entry->name);
  }
  if (entry->type == TAR_FILE) make_file(entry);
  else if (entry->size != 0) task_refuse("\"%s\" has a content and is no file", entry->name);
  else if (entry->type == TAR_DIRECTORY) make_directory(entry);
  else if (entry->type == TAR_LINK) make_link(entry);
  else task_refuse("\"%s\" is neither a file, a directory nor a symbolic link", entry->name);
}

/* False behind the last one. */
static bool read_entry(struct tar_entry *entry) {
  static uint8_t pax[TAR_PAX_MOST];
  uint8_t block[TAR_BLOCK];
  size_t pax_length = 0;
  bool end, has_pax = false;
  for (;;) {
    take(block, sizeof block);
    const char *wrong = tar_read(block, entry, &end);
    if (wrong != NULL) task_refuse("The archive is damaged: %s", wrong);
    if (end) return false;
    if (entry->type != TAR_PAX) break;
    if (has_pax || entry->size > TAR_PAX_MOST) task_refuse("The archive has a pax header that is none");
    has_pax = true;
    pax_length = (size_t)entry->size;
    take(pax, pax_length);
    take(NULL, tar_padding(entry->size));
  }
  const char *wrong = tar_read_pax(pax, pax_length, entry);
  if (wrong != NULL) task_refuse("The archive is damaged: %s", wrong);
  return true;
}

void file_unpack(const struct value *request) {
  static struct tar_entry entry;
  char path[PATH_MAX];
  struct stat status;
  file_new_directory(request, path);
  owner = file_owner(request);
  if (file_make_parents(path, owner) != 0) task_fail(errno, "Cannot make \"%s\"", path);
  levels[0].made = mkdir(path, 0700) == 0;
  levels[0].mode = 0755;
  levels[0].mtime = time(NULL);
  int error = errno;
  if (!levels[0].made && stat(path, &status) != 0) task_fail(error, "Cannot make \"%s\"", path);
  if (chdir(path) != 0) task_fail(errno, "Cannot write into \"%s\"", path);
  depth = 1;
  struct writer writer = task_writer(0);
  task_begin(&writer);
  while (read_entry(&entry)) make(&entry);
  while (depth > 0) leave();
  while (fill() > 0) piece_at = piece_length;
  task_done();
}
