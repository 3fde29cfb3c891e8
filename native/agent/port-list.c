#include "port.h"

#include "task.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

enum { LISTENS = 0x0a };

static void write_port(int family, const void *address, unsigned port, unsigned uid) {
  uint8_t bytes[128];
  char text[INET6_ADDRSTRLEN];
  struct writer writer = {.bytes = bytes, .capacity = sizeof bytes};
  if (inet_ntop(family, address, text, sizeof text) == NULL) return;
  write_map(&writer, 3);
  write_key(&writer, "port");
  write_int(&writer, port);
  write_key(&writer, "address");
  write_key(&writer, text);
  write_key(&writer, "uid");
  write_int(&writer, uid);
  task_record(&writer);
}

/* A line of /proc/net/tcp or tcp6: addresses are words in hexadecimal, as they lie in memory. */
static void read_line(const char *line, int family) {
  uint32_t words[4] = {0};
  unsigned port = 0, state = 0, uid = 0;
  int missing;
  if (family == AF_INET) {
    missing = 4 - sscanf(line, " %*u: %8x:%4x %*s %2x %*s %*s %*s %u", &words[0], &port, &state, &uid);
  } else {
    missing = 7 - sscanf(line, " %*u: %8x%8x%8x%8x:%4x %*s %2x %*s %*s %*s %u", &words[0], &words[1], &words[2],
                         &words[3], &port, &state, &uid);
  }
  if (missing == 0 && state == LISTENS) write_port(family, words, port, uid);
}

static void list(const char *path, int family) {
  FILE *file = fopen(path, "re");
  char line[512];
  if (file == NULL) return;
  while (fgets(line, sizeof line, file) != NULL) read_line(line, family);
  fclose(file);
}

void port_list(const struct value *request) {
  (void)request;
  struct writer writer = task_writer(0);
  task_begin(&writer);
  list("/proc/net/tcp", AF_INET);
  list("/proc/net/tcp6", AF_INET6);
  task_done();
}
