#include "clock.h"
#include "exec.h"

/* Time limits count the time in which programs run. */

static void stop(struct timer *timer, uint64_t *left_ms, uint64_t now) {
  if (!timer->armed) return;
  *left_ms = timer->at_ms > now ? timer->at_ms - now : 1;
  timer_clear(timer);
}

static void start(struct timer *timer, uint64_t *left_ms, uint64_t now) {
  if (*left_ms > 0) timer_set(timer, now + *left_ms);
  *left_ms = 0;
}

void exec_stop_clocks(void) {
  uint64_t now = clock_ms();
  for (size_t i = 0; i < EXECS_MAX; i++) {
    stop(&execs[i].limit, &execs[i].limit_left_ms, now);
    stop(&execs[i].drain, &execs[i].drain_left_ms, now);
  }
}

void exec_start_clocks(void) {
  uint64_t now = clock_ms();
  for (size_t i = 0; i < EXECS_MAX; i++) {
    start(&execs[i].limit, &execs[i].limit_left_ms, now);
    start(&execs[i].drain, &execs[i].drain_left_ms, now);
    if (execs[i].connection != NULL) connection_wake(execs[i].connection);
    else if (execs[i].state == EXEC_RUNNING) timer_set(&execs[i].again, now);
  }
}
