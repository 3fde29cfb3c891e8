#include "boot.h"

#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void mount_on(const char *type, const char *path, unsigned long flags, const char *data) {
  mkdir(path, 0755);
  if (mount(type, path, type, flags, data) != 0 && errno != EBUSY) {
    log_line("cannot mount %s on %s: %s", type, path, strerror(errno));
  }
}

void boot_mount_kernel(void) {
  umask(022);
  mount_on("devtmpfs", "/dev", MS_NOSUID, "mode=0755");
  mount_on("proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
  mount_on("sysfs", "/sys", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
}

void boot_mount_rest(void) {
  static const char *const links[][2] = {
      {"/proc/self/fd", "/dev/fd"},
      {"/proc/self/fd/0", "/dev/stdin"},
      {"/proc/self/fd/1", "/dev/stdout"},
      {"/proc/self/fd/2", "/dev/stderr"},
  };
  mount_on("devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, "mode=0620,gid=5,ptmxmode=0666");
  mount_on("tmpfs", "/dev/shm", MS_NOSUID | MS_NODEV, "mode=1777");
  mount_on("tmpfs", "/run", MS_NOSUID | MS_NODEV, "mode=0755,size=20%");
  for (size_t i = 0; i < sizeof links / sizeof links[0]; i++) {
    if (symlink(links[i][0], links[i][1]) != 0 && errno != EEXIST) {
      log_line("cannot make %s: %s", links[i][1], strerror(errno));
    }
  }
}

static void load_module(const char *name) {
  char path[256];
  snprintf(path, sizeof path, "/modules/%s", name);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) != 0 && errno != EEXIST)) {
    log_line("cannot load %s: %s", path, strerror(errno));
  }
  if (fd >= 0) close(fd);
}

void boot_load_modules(void) {
  FILE *order = fopen("/modules/order", "re");
  char line[200];
  if (order == NULL) return;
  while (fgets(line, sizeof line, order) != NULL) {
    line[strcspn(line, "\r\n")] = 0;
    if (line[0] != 0 && strchr(line, '/') == NULL) load_module(line);
  }
  fclose(order);
}

bool boot_word(const char *key, char *value, size_t capacity) {
  static char line[4096];
  if (line[0] == 0) {
    int fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    ssize_t length = read(fd, line, sizeof line - 1);
    close(fd);
    line[length > 0 ? length : 0] = 0;
  }
  size_t key_length = strlen(key);
  for (const char *word = line; *word != 0;) {
    word += strspn(word, " \n");
    size_t length = strcspn(word, " \n");
    if (length >= key_length && memcmp(word, key, key_length) == 0 && length - key_length < capacity) {
      memcpy(value, word + key_length, length - key_length);
      value[length - key_length] = 0;
      return true;
    }
    word += length;
  }
  return false;
}

int boot_number(const char *key) {
  char value[16];
  return boot_word(key, value, sizeof value) ? atoi(value) : 0;
}

void boot_loopback(void) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  struct ifreq request = {.ifr_name = "lo"};
  if (ioctl(fd, SIOCGIFFLAGS, &request) == 0) {
    request.ifr_flags |= IFF_UP;
    if (ioctl(fd, SIOCSIFFLAGS, &request) != 0) log_line("cannot bring up lo: %s", strerror(errno));
  }
  close(fd);
}
