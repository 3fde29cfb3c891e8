#include "agent.h"
#include "environment.h"
#include "freeze.h"
#include "hosts.h"
#include "network.h"
#include "request.h"
#include "system-file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/random.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { ENTROPY_LEAST = 32, ENTROPY_MOST = 256 };

/* What a request asks for; strings are empty when they are not to be set. */
struct wish {
  struct value entropy, environment;
  struct timespec time;
  bool has_time, has_environment, has_network;
  char hostname[HOST_NAME_MAX + 1], machine_id[33];
  struct network network;
};

static const char *read_time(const struct value *request, struct wish *wish) {
  struct value pair, part[2];
  enum key found = request_value(request, "timeNs", VALUE_ARRAY, &pair);
  wish->has_time = found == KEY_OK;
  if (found == KEY_ABSENT) return NULL;
  static const char wrong[] = "timeNs is not [seconds, nanoseconds]";
  if (found == KEY_WRONG || pair.count != 2) return wrong;
  const uint8_t *at = pair.bytes;
  for (int i = 0; i < 2; i++) {
    value_next(&pair, &at, &part[i]);
    if (part[i].kind != VALUE_INT || part[i].number < 0) return wrong;
  }
  if (part[1].number > 999999999) return wrong;
  wish->time = (struct timespec){.tv_sec = part[0].number, .tv_nsec = part[1].number};
  return NULL;
}

static const char *read_wish(const struct value *request, struct wish *wish) {
  struct value map;
  if (request_value(request, "entropy", VALUE_BIN, &wish->entropy) != KEY_OK || wish->entropy.count < ENTROPY_LEAST ||
      wish->entropy.count > ENTROPY_MOST) {
    return "entropy is not 32 to 256 bytes of bin";
  }
  const char *wrong = read_time(request, wish);
  if (wrong != NULL) return wrong;
  if (request_text(request, "hostname", wish->hostname, sizeof wish->hostname) == KEY_WRONG) {
    return "hostname is not a str of at most 64 bytes";
  }
  if (request_text(request, "machineId", wish->machine_id, sizeof wish->machine_id) == KEY_WRONG ||
      (wish->machine_id[0] != 0 && strspn(wish->machine_id, "0123456789abcdef") != 32)) {
    return "machineId is not 32 hex digits in lower case";
  }
  enum key found = request_value(request, "env", VALUE_MAP, &wish->environment);
  wish->has_environment = found == KEY_OK;
  if (found == KEY_WRONG) return "env is not a map";
  found = request_value(request, "network", VALUE_MAP, &map);
  wish->has_network = found == KEY_OK;
  if (found == KEY_WRONG) return "network is not a map";
  return found == KEY_OK ? network_read(&map, &wish->network) : NULL;
}

/* Credited, then drawn on at once: without the second the old state would serve for up to a minute. */
static int reseed(const struct value *entropy) {
  union {
    struct rand_pool_info information;
    uint8_t bytes[sizeof(struct rand_pool_info) + ENTROPY_MOST];
  } pool = {.information = {.entropy_count = (int)entropy->count * 8, .buf_size = (int)entropy->count}};
  memcpy(pool.information.buf, entropy->bytes, entropy->count);
  int fd = open("/dev/random", O_WRONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  int result = ioctl(fd, RNDADDENTROPY, &pool.information);
  if (result == 0) result = ioctl(fd, RNDRESEEDCRNG);
  int error = errno;
  close(fd);
  errno = error;
  return result;
}

static const char *name_machine(const struct wish *wish) {
  char line[HOST_NAME_MAX + 2];
  if (wish->hostname[0] != 0) {
    if (sethostname(wish->hostname, strlen(wish->hostname)) != 0) return "set the hostname";
    snprintf(line, sizeof line, "%s\n", wish->hostname);
    if (system_file_write("/etc/hostname", line) != 0) return "write /etc/hostname";
    if (hosts_write(wish->hostname) != 0) return "write /etc/hosts";
  }
  if (wish->machine_id[0] != 0) {
    snprintf(line, sizeof line, "%s\n", wish->machine_id);
    if (system_file_write("/etc/machine-id", line) != 0) return "write /etc/machine-id";
  }
  return NULL;
}

/* The machine's own parts, in the protocol's order; NULL, or the step that failed, with errno. */
static const char *apply_to_machine(const struct wish *wish) {
  if (reseed(&wish->entropy) != 0) return "reseed the random generator";
  if (wish->has_time && clock_settime(CLOCK_REALTIME, &wish->time) != 0) return "set the clock";
  return name_machine(wish);
}

/* Connections of before the snapshot lead nowhere in a clone; their programs go on without a host. */
static void drop_others(const struct connection *asking) {
  for (struct connection *connection = connections; connection != NULL; connection = connection->next) {
    if (connection != asking) connection_drop(connection);
  }
}

void init_request(struct connection *connection, const struct value *request) {
  struct wish wish = {0};
  const char *wrong = read_wish(request, &wish);
  if (wrong != NULL) {
    fail(connection, "BAD_REQUEST", 0, "Cannot initialise: %s", wrong);
    return;
  }
  if (agent.prepared) drop_others(connection);
  const char *failed = agent.is_machine ? apply_to_machine(&wish) : NULL;
  if (failed == NULL && wish.has_environment && !environment_keep(&wish.environment)) {
    fail(connection, "BAD_REQUEST", 0, "Cannot initialise: env must have names without = and str values without NUL");
    return;
  }
  if (failed == NULL && agent.is_machine && wish.has_network) failed = network_apply(&wish.network);
  if (failed != NULL) {
    /* User processes stay frozen: a half-made identity must not be used. */
    fail(connection, "FAILED", errno, "Cannot initialise: cannot %s", failed);
    return;
  }
  agent.initialised = true;
  freeze_thaw();
  connection_ok(connection);
}
