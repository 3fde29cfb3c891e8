#include "agent.h"
#include "cgroup.h"
#include "clock.h"
#include "exec.h"
#include "freeze.h"
#include "reaper.h"
#include "request.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * prepare, step by step, without ever blocking the loop: sync in a child, freeze, wait for the kernel to say that all
 * are frozen, let the output of the other connections drain, answer.
 */

enum step { IDLE, SYNCING, FREEZING, DRAINING };

enum { LOOK_MS = 2, NAMED_MAX = 16 };

static enum step step;
static struct connection *asking;
static uint64_t deadline_ms;
static int64_t timeout_ms;
static struct source frozen_events = {.fd = -1};
static struct timer deadline, look;

static void stop_waiting(void) {
  timer_clear(&deadline);
  timer_clear(&look);
  if (frozen_events.fd >= 0) {
    loop_remove(&frozen_events);
    close(frozen_events.fd);
    frozen_events.fd = -1;
  }
  step = IDLE;
}

void freeze_thaw(void) {
  cgroup_freeze(false);
  if (!agent.prepared) return;
  agent.prepared = false;
  exec_start_clocks();
}

static void give_up(const char *code, int error, const char *what) {
  struct connection *connection = asking;
  stop_waiting();
  freeze_thaw();
  fail(connection, code, error, "Cannot prepare for a snapshot: %s", what);
  connection_wake(connection);
}

static void not_frozen(void) {
  uint8_t bytes[512];
  char message[128];
  pid_t pids[NAMED_MAX];
  struct connection *connection = asking;
  uint32_t count = freeze_find_blocked(pids, NAMED_MAX);
  struct writer writer = {.bytes = bytes, .capacity = sizeof bytes};
  stop_waiting();
  freeze_thaw();
  snprintf(message, sizeof message, "User processes did not freeze within %lld ms", (long long)timeout_ms);
  write_map(&writer, 4);
  write_key(&writer, "ok");
  write_bool(&writer, false);
  write_key(&writer, "code");
  write_key(&writer, "NOT_FROZEN");
  write_key(&writer, "message");
  write_text(&writer, message);
  write_key(&writer, "pids");
  write_array(&writer, count);
  for (uint32_t i = 0; i < count; i++) write_int(&writer, pids[i]);
  connection_response(connection, &writer);
  connection_end(connection);
  connection_wake(connection);
}

static bool others_wait(void) {
  for (const struct connection *connection = connections; connection != NULL; connection = connection->next) {
    if (connection != asking && connection->channel.open && connection_output_waits(connection)) return true;
  }
  return false;
}

/* A host that does not read keeps its output here for good: what can drain does, within the time. */
static void drain(struct timer *timer) {
  if (others_wait() && clock_ms() < deadline_ms) {
    timer_set(timer, clock_ms() + LOOK_MS);
    return;
  }
  struct connection *connection = asking;
  stop_waiting();
  connection_ok(connection);
  connection_wake(connection);
}

static void look_for_frozen(void) {
  if (!cgroup_is("frozen")) return;
  agent.prepared = true;
  exec_stop_clocks();
  step = DRAINING;
  look.fire = drain;
  drain(&look);
}

static void on_frozen_events(struct source *source, uint32_t events) {
  char text[128];
  (void)events;
  /* Reading it is what arms the next report. */
  if (pread(source->fd, text, sizeof text, 0) >= 0 && step == FREEZING) look_for_frozen();
}

static void on_deadline(struct timer *timer) {
  (void)timer;
  if (step == SYNCING) give_up("FAILED", ETIMEDOUT, "the disk did not sync in time");
  else if (step == FREEZING) not_frozen();
}

static void freeze(void) {
  step = FREEZING;
  frozen_events = (struct source){.fd = cgroup_open_events(), .ready = on_frozen_events};
  if (frozen_events.fd < 0 || loop_add(&frozen_events, EPOLLPRI) != 0 || cgroup_freeze(true) != 0) {
    give_up("FAILED", errno, "the user cgroup cannot be frozen");
    return;
  }
  look_for_frozen();
}

static void on_synced(int status) {
  (void)status;
  /* One that was given up on may end while another is under way: then it waits for its own. */
  if (step == SYNCING) freeze();
}

void prepare_request(struct connection *connection, const struct value *request) {
  if (request_int(request, "timeoutMs", 1, 3600000, &timeout_ms) != KEY_OK) {
    fail(connection, "BAD_REQUEST", 0, "Cannot prepare: timeoutMs is not an int from 1 to 3600000");
    return;
  }
  if (step != IDLE || agent.ending) {
    fail(connection, "BUSY", 0, "Cannot prepare: %s", agent.ending ? "shutting down" : "already preparing");
    return;
  }
  if (agent.prepared) {
    connection_ok(connection);
    return;
  }
  if (!cgroup_available()) {
    fail(connection, "FAILED", ENOSYS, "Cannot prepare: there is no cgroup to freeze");
    return;
  }
  asking = connection;
  deadline_ms = clock_ms() + (uint64_t)timeout_ms;
  deadline.fire = on_deadline;
  timer_set(&deadline, deadline_ms);
  step = SYNCING;
  pid_t pid = fork();
  if (pid == 0) {
    /* What the agent closes meanwhile must be closed. */
    syscall(SYS_close_range, 3, ~0U, 0);
    sync();
    _exit(0);
  }
  if (pid < 0) give_up("FAILED", errno, "no process to sync the disk");
  else reaper_expect(pid, on_synced);
}

void freeze_cancelled(const struct connection *connection) {
  if (step == IDLE || connection != asking) return;
  stop_waiting();
  freeze_thaw();
}

void thaw_request(struct connection *connection) {
  if (step != IDLE) {
    fail(connection, "BUSY", 0, "Cannot thaw: a prepare is under way");
    return;
  }
  freeze_thaw();
  connection_ok(connection);
}
