#include "file.h"

#include "task.h"
#include "watch-table.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

enum {
  EVENTS_SIZE = 65536,
  PATH_SIZE = 2 * PATH_MAX,
  /* How long the other half of a renaming may take to come: the kernel tells both, but whoever renames may be held up between them. */
  PAIR_MS = 1000,
  DEPTH_MOST = 200,
  WANTED = IN_CREATE | IN_DELETE | IN_MODIFY | IN_ATTRIB | IN_MOVED_FROM | IN_MOVED_TO | IN_EXCL_UNLINK,
  SELF = IN_DELETE_SELF | IN_MOVE_SELF,
};

static int inotify_fd, root_watch;
/* What is watched, to which all paths are relative. It is not kept open: an open directory does not tell that it is gone. */
static char root[PATH_MAX];
static bool recursive, is_file;
/* What has been moved away from a watched directory, and may turn up in one. */
static struct {
  bool waits, is_directory;
  uint32_t cookie;
  char path[PATH_SIZE];
} moved;
/* The event before was a change of this file, and tells as much as another one. */
static bool was_modified;
static char last_modified[PATH_SIZE];

static void tell(const char *event, const char *path, const char *to, int error) {
  static uint8_t bytes[3 * PATH_SIZE];
  struct writer writer = {.bytes = bytes, .capacity = sizeof bytes};
  write_map(&writer, 1 + (path != NULL ? 1 : 0) + (to != NULL ? 1 : 0) + (error != 0 ? 1 : 0));
  write_key(&writer, "event");
  write_key(&writer, event);
  if (path != NULL) {
    write_key(&writer, "path");
    file_write_name(&writer, path[0] == 0 ? "." : path);
  }
  if (to != NULL) {
    write_key(&writer, "to");
    file_write_name(&writer, to);
  }
  if (error != 0) {
    write_key(&writer, "errno");
    write_int(&writer, error);
  }
  task_record(&writer);
}

static void watch_directory(const char *path, bool tells, int depth);

static void look_into(const char *path, int fd, bool tells, int depth) {
  char below[PATH_SIZE];
  struct stat status;
  DIR *directory = fdopendir(fd);
  const struct dirent *entry;
  if (directory == NULL) {
    close(fd);
    tell("unwatched", path, NULL, errno);
    return;
  }
  while ((entry = readdir(directory)) != NULL) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    if (snprintf(below, sizeof below, "%s%s%s", path, path[0] == 0 ? "" : "/", entry->d_name) >= (int)sizeof below) continue;
    if (tells) tell("created", below, NULL, 0);
    if (fstatat(fd, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(status.st_mode)) {
      watch_directory(below, tells, depth + 1);
    }
  }
  closedir(directory);
}

static int open_directory(const char *path) {
  int top = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (top < 0 || path[0] == 0) return top;
  int fd = openat(top, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), error = errno;
  close(top);
  errno = error;
  return fd;
}

/* First the watch, then what is in it: so nothing is missed, though it may be told twice. */
static void watch_directory(const char *path, bool tells, int depth) {
  char name[64];
  int fd = open_directory(path);
  if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)) return;
  if (fd < 0 || depth > DEPTH_MOST) {
    tell("unwatched", path, NULL, fd < 0 ? errno : ELOOP);
    if (fd >= 0) close(fd);
    return;
  }
  /* By the descriptor: the path may lead elsewhere by now. */
  snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
  int watch = inotify_add_watch(inotify_fd, name, WANTED | (path[0] == 0 ? SELF : 0));
  if (watch < 0) task_fail(errno, "Cannot watch \"%s\": fs.inotify.max_user_watches may be too low", path);
  watch_put(watch, path);
  if (recursive) look_into(path, fd, tells, depth);
  else close(fd);
}

static void drop_watch(int watch) { inotify_rm_watch(inotify_fd, watch); }

static void settle_moved(void) {
  if (!moved.waits) return;
  moved.waits = false;
  tell("removed", moved.path, NULL, 0);
  /* It is out of sight, with all that is in it. */
  if (moved.is_directory) watch_forget_tree(moved.path, drop_watch);
}

static void on_moved_to(const struct inotify_event *event, const char *path) {
  bool is_directory = (event->mask & IN_ISDIR) != 0;
  if (moved.waits && moved.cookie == event->cookie) {
    moved.waits = false;
    tell("renamed", moved.path, path, 0);
    if (is_directory) watch_move(moved.path, path);
    return;
  }
  settle_moved();
  tell("created", path, NULL, 0);
  if (is_directory && recursive) watch_directory(path, true, 0);
}

static void on_overflow(void) {
  settle_moved();
  tell("overflow", NULL, NULL, 0);
  /* Directories that were made meanwhile. */
  if (!is_file) watch_directory("", false, 0);
}

/* False when there is nothing left to watch. */
static bool on_event(const struct inotify_event *event) {
  char path[PATH_SIZE];
  if ((event->mask & IN_Q_OVERFLOW) != 0) {
    on_overflow();
    return true;
  }
  const char *directory = watch_path(event->wd);
  if ((event->mask & IN_IGNORED) != 0) watch_forget(event->wd);
  if (directory == NULL || (event->mask & IN_IGNORED) != 0) return event->wd != root_watch;
  if (event->wd == root_watch && (event->mask & SELF) != 0) {
    settle_moved();
    tell("removed", "", NULL, 0);
    return false;
  }
  const char *name = event->len > 0 ? event->name : "";
  const char *between = directory[0] != 0 && name[0] != 0 ? "/" : "";
  if (snprintf(path, sizeof path, "%s%s%s", directory, between, name) >= (int)sizeof path) return true;
  if ((event->mask & IN_MOVED_TO) != 0) {
    was_modified = false;
    on_moved_to(event, path);
    return true;
  }
  settle_moved();
  bool is_modified = (event->mask & (IN_MODIFY | IN_ATTRIB)) != 0;
  bool again = is_modified && was_modified && strcmp(path, last_modified) == 0;
  was_modified = is_modified;
  if (is_modified) {
    if (!again) tell("modified", path, NULL, 0);
    strcpy(last_modified, path);
  } else if ((event->mask & IN_CREATE) != 0) {
    tell("created", path, NULL, 0);
    if ((event->mask & IN_ISDIR) != 0 && recursive) watch_directory(path, true, 0);
  } else if ((event->mask & IN_DELETE) != 0) {
    tell("removed", path, NULL, 0);
  } else if ((event->mask & IN_MOVED_FROM) != 0) {
    moved.waits = true;
    moved.is_directory = (event->mask & IN_ISDIR) != 0;
    moved.cookie = event->cookie;
    strcpy(moved.path, path);
  }
  return true;
}

static void follow(void) {
  static _Alignas(struct inotify_event) uint8_t events[EVENTS_SIZE];
  struct pollfd ready = {.fd = inotify_fd, .events = POLLIN};
  for (;;) {
    if (moved.waits && poll(&ready, 1, PAIR_MS) == 0) settle_moved();
    task_flush();
    was_modified = false;
    ssize_t length = read(inotify_fd, events, sizeof events);
    if (length < 0 && errno == EINTR) continue;
    if (length <= 0) task_fail(errno, "Cannot watch \"%s\" any longer", root);
    for (ssize_t at = 0; at < length;) {
      const struct inotify_event *event = (const struct inotify_event *)(events + at);
      if (!on_event(event)) return;
      at += (ssize_t)(sizeof *event + event->len);
    }
  }
}

void file_watch(const struct value *request) {
  char path[PATH_MAX];
  struct stat status;
  file_path(request, "path", path);
  recursive = file_flag(request, "recursive", true);
  inotify_fd = inotify_init1(IN_CLOEXEC);
  if (inotify_fd < 0 || realpath(path, root) == NULL || stat(root, &status) != 0) {
    task_fail(errno, "Cannot watch \"%s\"", path);
  }
  is_file = !S_ISDIR(status.st_mode);
  /* Its own, also when nothing below can be read. */
  root_watch = inotify_add_watch(inotify_fd, root, WANTED | SELF);
  if (root_watch < 0) task_fail(errno, "Cannot watch \"%s\"", path);
  watch_put(root_watch, "");
  struct writer writer = task_writer(0);
  task_begin(&writer);
  if (!is_file) watch_directory("", false, 0);
  tell("ready", NULL, NULL, 0);
  follow();
  task_done();
}
