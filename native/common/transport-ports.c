#include "transport.h"

#include "clock.h"
#include "log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
  PORTS_MAX = 64,
  /* Ports come within milliseconds of their driver; one that is late must not cost a busy loop. */
  LOOK_MS = 1,
  LOOK_SLOWLY_MS = 100,
  LOOKS_QUICK = 5000,
};

static const struct service *port_service;
static int ports_expected, ports_open, looks;
static char opened[PORTS_MAX][32];
static struct timer look_timer;

static bool is_open(const char *device) {
  for (int i = 0; i < ports_open; i++) {
    if (strcmp(opened[i], device) == 0) return true;
  }
  return false;
}

/* A port is in the directory before its name has come. */
static bool is_ours(const char *device) {
  char path[320], name[16] = {0};
  snprintf(path, sizeof path, "/sys/class/virtio-ports/%s/name", device);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  ssize_t length = read(fd, name, sizeof name - 1);
  close(fd);
  return length > 0 && strncmp(name, "virga.", 6) == 0;
}

static void open_port(const char *device) {
  char path[320];
  snprintf(path, sizeof path, "/dev/%s", device);
  int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
  if (fd < 0) {
    if (errno != ENOENT) log_line("cannot open %s: %s", path, strerror(errno));
    return;
  }
  if (connection_open(fd, CONNECTION_PORT, port_service) == NULL) return;
  snprintf(opened[ports_open++], sizeof opened[0], "%s", device);
}

static void look(struct timer *timer) {
  DIR *directory = opendir("/sys/class/virtio-ports");
  if (directory != NULL) {
    struct dirent *entry;
    while (ports_open < ports_expected && (entry = readdir(directory)) != NULL) {
      const char *device = entry->d_name;
      if (device[0] == '.' || strlen(device) >= sizeof opened[0]) continue;
      if (!is_open(device) && is_ours(device)) open_port(device);
    }
    closedir(directory);
  }
  if (ports_open >= ports_expected) return;
  looks++;
  if (looks == LOOKS_QUICK) log_line("%d of %d ports have appeared", ports_open, ports_expected);
  timer_set(timer, clock_ms() + (looks < LOOKS_QUICK ? LOOK_MS : LOOK_SLOWLY_MS));
}

void transport_ports(int expected, const struct service *service) {
  port_service = service;
  ports_expected = expected < PORTS_MAX ? expected : PORTS_MAX;
  look_timer.fire = look;
  if (ports_expected > 0) look(&look_timer);
}
