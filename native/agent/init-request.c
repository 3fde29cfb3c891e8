#include "agent.h"
#include "environment.h"
#include "freeze.h"
#include "hosts.h"
#include "init-wish.h"
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

static const char *name_machine(const struct init_wish *wish) {
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
static const char *apply_to_machine(const struct init_wish *wish) {
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
  struct init_wish wish = {0};
  const char *wrong = init_wish_read(request, &wish);
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
