#include "operations.h"

#include "clock.h"
#include "log.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <unistd.h>

void run_random(struct connection *connection, const struct value *request) {
  (void)request;
  uint8_t bytes[32];
  if (getrandom(bytes, sizeof bytes, GRND_INSECURE) != sizeof bytes) {
    fail_errno(connection, "draw random bytes");
    return;
  }
  struct writer writer = answer(1);
  write_key(&writer, "bytes");
  write_bin(&writer, bytes, sizeof bytes);
  send_answer(connection, &writer);
}

/* A small file's text without the line end; empty when it cannot be read. */
static void read_line(const char *path, char *text, size_t capacity) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t length = fd < 0 ? 0 : read(fd, text, capacity - 1);
  if (fd >= 0) close(fd);
  text[length > 0 ? length : 0] = 0;
  text[strcspn(text, "\n")] = 0;
}

void run_cmdline(struct connection *connection, const struct value *request) {
  (void)request;
  char line[1024];
  read_line("/proc/cmdline", line, sizeof line);
  struct writer writer = answer(1);
  write_key(&writer, "cmdline");
  write_text(&writer, line);
  send_answer(connection, &writer);
}

static void write_interface(struct writer *writer, int fd, const char *name) {
  char path[300], mac[64], address[INET_ADDRSTRLEN] = "", flags[32];
  snprintf(path, sizeof path, "/sys/class/net/%s/address", name);
  read_line(path, mac, sizeof mac);
  snprintf(path, sizeof path, "/sys/class/net/%s/flags", name);
  read_line(path, flags, sizeof flags);
  struct ifreq request = {0};
  memcpy(request.ifr_name, name, strnlen(name, IFNAMSIZ - 1));
  if (ioctl(fd, SIOCGIFADDR, &request) == 0) {
    inet_ntop(AF_INET, &((struct sockaddr_in *)&request.ifr_addr)->sin_addr, address, sizeof address);
  }
  write_map(writer, 4);
  write_key(writer, "name");
  write_text(writer, name);
  write_key(writer, "mac");
  write_text(writer, mac);
  write_key(writer, "address");
  write_text(writer, address);
  write_key(writer, "up");
  write_bool(writer, (strtoul(flags, NULL, 0) & IFF_UP) != 0);
}

void run_interfaces(struct connection *connection, const struct value *request) {
  (void)request;
  char names[16][IFNAMSIZ];
  uint32_t count = 0;
  DIR *directory = opendir("/sys/class/net");
  struct dirent *entry;
  while (directory != NULL && count < 16 && (entry = readdir(directory)) != NULL) {
    if (entry->d_name[0] == '.' || strlen(entry->d_name) >= IFNAMSIZ) continue;
    strcpy(names[count++], entry->d_name);
  }
  if (directory != NULL) closedir(directory);
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  struct writer writer = answer(1);
  write_key(&writer, "interfaces");
  write_array(&writer, count);
  for (uint32_t i = 0; i < count; i++) write_interface(&writer, fd, names[i]);
  if (fd >= 0) close(fd);
  send_answer(connection, &writer);
}

/* What ends the machine waits until the answer has left it. */
enum { LEAVE_MS = 20 };
static struct timer last;

static void end_by_reboot(struct timer *timer) {
  (void)timer;
  reboot(RB_AUTOBOOT);
}

static void end_by_poweroff(struct timer *timer) {
  (void)timer;
  reboot(RB_POWER_OFF);
}

static void end_by_panic(struct timer *timer) {
  (void)timer;
  int fd = open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC);
  if (fd < 0 || write(fd, "c", 1) != 1) log_line("cannot panic: %s", strerror(errno));
}

static void spin_forever(struct timer *timer) {
  for (volatile const bool *armed = &timer->armed; !*armed;) continue;
}

static void answer_then(struct connection *connection, void (*end)(struct timer *)) {
  /* As an ordinary process it would be the machine of whoever runs the tests. */
  if (getpid() != 1 && end != spin_forever) {
    connection_fail(connection, "FAILED", EPERM, "This is not the first process of a machine");
    return;
  }
  connection_ok(connection);
  last.fire = end;
  timer_set(&last, clock_ms() + LEAVE_MS);
}

void run_reboot(struct connection *connection, const struct value *request) {
  (void)request;
  answer_then(connection, end_by_reboot);
}

void run_poweroff(struct connection *connection, const struct value *request) {
  (void)request;
  answer_then(connection, end_by_poweroff);
}

void run_panic(struct connection *connection, const struct value *request) {
  (void)request;
  answer_then(connection, end_by_panic);
}

void run_spin(struct connection *connection, const struct value *request) {
  (void)request;
  answer_then(connection, spin_forever);
}
