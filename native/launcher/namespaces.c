#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "launcher.h"

void join_cgroup(const char *directory) {
  static const char NAME[] = "/cgroup.procs";
  char path[PATH_MAX];
  size_t length = strlen(directory);
  if (length + sizeof NAME > sizeof path) fail("cgroup", ENAMETOOLONG, directory);
  memcpy(path, directory, length);
  memcpy(path + length, NAME, sizeof NAME);

  // Non-blocking, lest a FIFO of that name hold us.
  int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (fd < 0) fail("cgroup", errno, path);
  // Elsewhere (a version 1 hierarchy, a plain file) the write would succeed and the VMM would run without its limits.
  struct statfs file_system;
  if (fstatfs(fd, &file_system) != 0) fail("cgroup", errno, path);
  if ((unsigned long)file_system.f_type != CGROUP2_SUPER_MAGIC) fail("cgroup", EINVAL, path);
  if (write(fd, "0", 1) != 1) fail("cgroup", errno, path);
  close(fd);
}

void enter_network_namespace(const char *path_or_new) {
  if (strcmp(path_or_new, "new") == 0) {
    if (unshare(CLONE_NEWNET) != 0) fail("netns", errno, NULL);
    return;
  }
  int fd = open(path_or_new, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (fd < 0) fail("netns", errno, path_or_new);
  // With the type given, the kernel refuses whatever is not a network namespace (EINVAL).
  if (setns(fd, CLONE_NEWNET) != 0) fail("netns", errno, path_or_new);
  close(fd);
}

// Given a name that does not exist, a privileged VMM would make a TAP device of its own, connected to nothing.
void require_network_device(const char *name) {
  if (if_nametoindex(name) == 0) fail("netdev", errno, name);
}

void enter_mount_namespace(void) {
  if (unshare(CLONE_NEWNS) != 0) fail("mountns", errno, "/");
  // Slave and not private: what the host unmounts later must disappear here too, or a VMM would keep it busy.
  if (mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL) != 0) fail("mountns", errno, "/");
}

void bind_mount(const struct bind *bind) {
  if (mount(bind->source, bind->target, NULL, MS_BIND, NULL) != 0) {
    int error = errno;
    // The error of mount() does not tell which of the two paths it is about.
    struct stat status;
    fail("bind", error, stat(bind->source, &status) != 0 ? bind->source : bind->target);
  }
  if (!bind->read_only) return;
  // The kernel ignores these flags when the bind is made; they need a second call.
  unsigned long flags = MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;
  if (mount(NULL, bind->target, NULL, flags, NULL) != 0) fail("bind", errno, bind->target);
}
