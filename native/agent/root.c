#include "root.h"

#include "agent.h"
#include "boot.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { DEVICE_LOOKS = 2000 };

#define BASE "/virga/base"
#define UPPER "/virga/upper"
#define JOINED "/virga/root"

static int upper_fd = -1;

static bool problem(const char *what, const char *of) {
  snprintf(agent.problem, sizeof agent.problem, "Cannot %s %s: %s", what, of, strerror(errno));
  log_line("%s", agent.problem);
  return false;
}

/* A driver may announce its device a moment after it has been loaded. */
static bool wait_for(const char *device) {
  const struct timespec moment = {.tv_nsec = 1000000};
  for (int looks = 0; access(device, F_OK) != 0; looks++) {
    if (looks == DEVICE_LOOKS) return problem("find", device);
    nanosleep(&moment, NULL);
  }
  return true;
}

static bool mount_base(const char *device) {
  static const char *const types[] = {"squashfs", "erofs"};
  if (!wait_for(device)) return false;
  for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
    if (mount(device, BASE, types[i], MS_RDONLY | MS_NODEV, NULL) == 0) return true;
    /* Not of this type, or this type is not in the kernel. */
    if (errno != EINVAL && errno != ENODEV) break;
  }
  return problem("mount the image", device);
}

static bool mount_upper(void) {
  char device[64];
  if (!boot_word("virga.upper=", device, sizeof device)) {
    if (mount("tmpfs", UPPER, "tmpfs", MS_NODEV, "mode=0755") == 0) return true;
    return problem("mount", UPPER);
  }
  if (!wait_for(device)) return false;
  /* Space that is freed goes back to the host; inode tables that nobody uses stay holes there. */
  if (mount(device, UPPER, "ext4", MS_NOATIME | MS_NODEV, "discard,noinit_itable") != 0) return problem("mount", device);
  upper_fd = open(UPPER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  return upper_fd >= 0 || problem("open", UPPER);
}

static bool mount_joined(void) {
  if ((mkdir(UPPER "/root", 0755) != 0 && errno != EEXIST) || (mkdir(UPPER "/work", 0755) != 0 && errno != EEXIST)) {
    return problem("make directories in", UPPER);
  }
  if (mount("overlay", JOINED, "overlay", 0, "lowerdir=" BASE ",upperdir=" UPPER "/root,workdir=" UPPER "/work") != 0) {
    return problem("mount", JOINED);
  }
  return true;
}

static bool move_mounts(void) {
  static const char *const moved[][2] = {
      {"/dev", JOINED "/dev"},
      {"/proc", JOINED "/proc"},
      {"/sys", JOINED "/sys"},
      {"/run", JOINED "/run"},
  };
  for (size_t i = 0; i < sizeof moved / sizeof moved[0]; i++) {
    mkdir(moved[i][1], 0755);
    if (mount(moved[i][0], moved[i][1], NULL, MS_MOVE, NULL) != 0) return problem("move", moved[i][0]);
  }
  return true;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *position) {
  (void)status;
  (void)type;
  (void)position;
  /* Directories that carry mounts stay. */
  if (remove(path) != 0) errno = 0;
  return 0;
}

static bool enter(void) {
  /* Nothing of the initramfs can be reached from now on, but it would keep its memory. */
  nftw("/", remove_one, 16, FTW_DEPTH | FTW_MOUNT | FTW_PHYS);
  if (chdir(JOINED) != 0 || mount(".", "/", NULL, MS_MOVE, NULL) != 0 || chroot(".") != 0 || chdir("/") != 0) {
    return problem("enter", JOINED);
  }
  return true;
}

static void make_usual_places(void) {
  mkdir("/tmp", 01777);
  chmod("/tmp", 01777);
  mkdir("/root", 0700);
  /* An image may have no more than one program, and a machine's name is kept in here. */
  mkdir("/etc", 0755);
}

void root_setup(void) {
  char device[64];
  if (!boot_word("virga.root=", device, sizeof device)) {
    /* The archive's maker may have had a strict umask. */
    chmod("/", 0755);
    make_usual_places();
    return;
  }
  mkdir("/virga", 0755);
  mkdir(BASE, 0755);
  mkdir(UPPER, 0755);
  mkdir(JOINED, 0755);
  if (mount_base(device) && mount_upper() && mount_joined() && move_mounts() && enter()) make_usual_places();
}

void root_close(void) {
  if (upper_fd < 0) return;
  if (fchdir(upper_fd) != 0 || mount(NULL, ".", NULL, MS_REMOUNT | MS_RDONLY, NULL) != 0) {
    log_line("cannot make the disk clean: %s", strerror(errno));
  }
}
