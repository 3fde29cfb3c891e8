#include "agent.h"
#include "cgroup.h"
#include "clock.h"
#include "exec.h"
#include "freeze.h"
#include "log.h"
#include "request.h"
#include "root.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/reboot.h>
#include <unistd.h>

enum {
  GRACE_MS = 500,
  LOOK_MS = 10,
  /* The answer has to leave the machine before it goes, and the processes that are killed to go. */
  LEAVE_MS = 20,
};

static bool reboots;
static uint64_t grace_end_ms, leave_ms;
static struct timer look;

static void signal_all(int number) {
  /* As PID 1: all but ourselves. Else only what we started. */
  if (agent.is_machine) {
    kill(-1, number);
    return;
  }
  for (size_t i = 0; i < EXECS_MAX; i++) {
    const struct exec *exec = &execs[i];
    if (exec->state != EXEC_FREE && !exec->exited) kill(-exec->pid, number);
  }
}

static bool some_run(void) {
  if (agent.is_machine && cgroup_available()) return cgroup_is("populated");
  for (size_t i = 0; i < EXECS_MAX; i++) {
    if (execs[i].state != EXEC_FREE && !execs[i].exited) return true;
  }
  return false;
}

static void leave(struct timer *timer) {
  (void)timer;
  if (!agent.is_machine) {
    loop_stop();
    return;
  }
  sync();
  root_close();
  reboot(reboots ? RB_AUTOBOOT : RB_POWER_OFF);
  log_line("cannot %s: %s", reboots ? "reboot" : "power off", strerror(errno));
}

static void on_look(struct timer *timer) {
  uint64_t now = clock_ms();
  if ((some_run() && now < grace_end_ms) || now < leave_ms) {
    timer_set(timer, now + LOOK_MS);
    return;
  }
  signal_all(SIGKILL);
  timer->fire = leave;
  timer_set(timer, now + LEAVE_MS);
}

void shutdown_request(struct connection *connection, const struct value *request) {
  struct value mode;
  if (request_value(request, "mode", VALUE_STR, &mode) != KEY_OK ||
      (!value_is(&mode, "poweroff") && !value_is(&mode, "reboot"))) {
    fail(connection, "BAD_REQUEST", 0, "Cannot shut down: mode is neither poweroff nor reboot");
    return;
  }
  reboots = value_is(&mode, "reboot");
  connection_ok(connection);
  if (agent.ending) return;
  agent.ending = true;
  /* A frozen process cannot end. */
  freeze_thaw();
  signal_all(SIGTERM);
  grace_end_ms = clock_ms() + GRACE_MS;
  leave_ms = clock_ms() + LEAVE_MS;
  look.fire = on_look;
  timer_set(&look, clock_ms() + LOOK_MS);
}
