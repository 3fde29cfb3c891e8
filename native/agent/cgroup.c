#include "cgroup.h"

#include "clock.h"
#include "exec.h"
#include "log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static int user_fd = -1;
static unsigned last_number;
/* Leaves whose exec is over, and which were not empty then. */
static unsigned leftover;

/* Leaves of the loop's last turn. Removing one takes as long as sending an exec's end, and nobody waits for it. */
static unsigned over[EXECS_MAX];
static size_t over_count;
static struct timer over_timer;

static int write_file(int directory, const char *name, const char *text) {
  int fd = openat(directory, name, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  ssize_t put = write(fd, text, strlen(text));
  int error = errno;
  close(fd);
  errno = error;
  return put < 0 ? -1 : 0;
}

/* So that users can limit what they start. A controller that the kernel lacks is left out. */
static void enable_controllers(int directory) {
  static const char *const controllers[] = {"+cpu", "+memory", "+pids", "+io"};
  for (size_t i = 0; i < sizeof controllers / sizeof controllers[0]; i++) {
    write_file(directory, "cgroup.subtree_control", controllers[i]);
  }
}

/*
 * The agent enters the user cgroup to make a namespace whose root that is, leaves it again, and mounts the view of
 * the namespace in place of the whole tree. Its own way to the whole tree is the open directories.
 */
static int narrow_view(int root_fd) {
  if (write_file(user_fd, "cgroup.procs", "0") != 0 || unshare(CLONE_NEWCGROUP) != 0) return -1;
  if (write_file(root_fd, "cgroup.procs", "0") != 0) return -1;
  if (umount2("/sys/fs/cgroup", MNT_DETACH) != 0) return -1;
  return mount("cgroup2", "/sys/fs/cgroup", "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
}

void cgroup_setup(void) {
  int root_fd = -1;
  if (mount("cgroup2", "/sys/fs/cgroup", "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0 &&
      (mkdir("/sys/fs/cgroup/user", 0755) == 0 || errno == EEXIST)) {
    root_fd = open("/sys/fs/cgroup", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    user_fd = open("/sys/fs/cgroup/user", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  }
  if (root_fd < 0 || user_fd < 0) {
    log_line("cannot make the user cgroup: %s", strerror(errno));
  } else {
    enable_controllers(root_fd);
    if (narrow_view(root_fd) != 0) log_line("cannot narrow the view of cgroups: %s", strerror(errno));
  }
  if (root_fd >= 0) close(root_fd);
}

bool cgroup_available(void) { return user_fd >= 0; }

static void leaf_name(char *name, size_t capacity, unsigned number) { snprintf(name, capacity, "e%u", number); }

/* Leaves of background processes empty at some time; it is enough to look when a new one is wanted. */
static void sweep(void) {
  int fd = openat(user_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *directory = fd < 0 ? NULL : fdopendir(fd);
  if (directory == NULL) {
    if (fd >= 0) close(fd);
    return;
  }
  struct dirent *entry;
  while (leftover > 0 && (entry = readdir(directory)) != NULL) {
    const char *name = entry->d_name;
    if (name[0] != 'e' || name[1 + strspn(name + 1, "0123456789")] != 0) continue;
    /* A running exec's leaf is not empty, so this cannot remove it. */
    if (unlinkat(user_fd, name, AT_REMOVEDIR) == 0) leftover--;
  }
  closedir(directory);
}

int cgroup_make_leaf(unsigned *number) {
  char name[16];
  if (leftover > 0) sweep();
  *number = ++last_number;
  leaf_name(name, sizeof name, *number);
  if (mkdirat(user_fd, name, 0755) != 0 && errno != EEXIST) return -1;
  return openat(user_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

void cgroup_kill_leaf(int leaf_fd) {
  if (leaf_fd >= 0 && write_file(leaf_fd, "cgroup.kill", "1") != 0 && errno != ENOENT && errno != ENODEV) {
    log_line("cannot kill a cgroup: %s", strerror(errno));
  }
}

static void remove_over(struct timer *timer) {
  char name[16];
  (void)timer;
  while (over_count > 0) {
    leaf_name(name, sizeof name, over[--over_count]);
    if (unlinkat(user_fd, name, AT_REMOVEDIR) != 0 && errno != ENOENT) leftover++;
  }
}

void cgroup_release_leaf(int leaf_fd, unsigned number) {
  if (leaf_fd < 0) return;
  close(leaf_fd);
  if (over_count == EXECS_MAX) remove_over(&over_timer);
  over[over_count++] = number;
  over_timer.fire = remove_over;
  timer_set(&over_timer, clock_ms());
}

int cgroup_freeze(bool freeze) {
  if (user_fd < 0) {
    errno = ENOSYS;
    return -1;
  }
  return write_file(user_fd, "cgroup.freeze", freeze ? "1" : "0");
}

bool cgroup_is(const char *key) {
  char text[128], line[32];
  int fd = user_fd < 0 ? -1 : openat(user_fd, "cgroup.events", O_RDONLY | O_CLOEXEC);
  ssize_t length = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
  if (fd >= 0) close(fd);
  text[length > 0 ? length : 0] = 0;
  snprintf(line, sizeof line, "%s 1", key);
  return strstr(text, line) != NULL;
}

int cgroup_open_events(void) {
  if (user_fd < 0) return -1;
  int fd = openat(user_fd, "cgroup.events", O_RDONLY | O_CLOEXEC);
  char text[128];
  /* Changes are reported from the last read on. */
  if (fd >= 0 && read(fd, text, sizeof text) < 0) {
    close(fd);
    return -1;
  }
  return fd;
}
