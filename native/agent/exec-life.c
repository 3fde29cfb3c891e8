#include "agent.h"
#include "cgroup.h"
#include "clock.h"
#include "exec.h"
#include "request.h"
#include "spawn.h"
#include "task.h"
#include "terminal.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DRAIN_MS = 1000 };

#define OWNER(pointer, member) ((struct exec *)((char *)(pointer) - offsetof(struct exec, member)))

struct exec execs[EXECS_MAX];

static void on_limit(struct timer *timer) {
  struct exec *exec = OWNER(timer, limit);
  exec->timed_out = true;
  exec_kill(exec);
}

static void on_drain(struct timer *timer) {
  struct exec *exec = OWNER(timer, drain);
  exec_streams_finish(exec);
  if (exec->connection != NULL) connection_wake(exec->connection);
  else exec_discard(exec);
}

static void on_ends(struct timer *timer) {
  struct exec *exec = OWNER(timer, ends);
  exec->ends_due = true;
  if (exec->connection != NULL) connection_wake(exec->connection);
}

static void on_again(struct timer *timer) { exec_discard(OWNER(timer, again)); }

void exec_kill(struct exec *exec) {
  cgroup_kill_leaf(exec->leaf_fd);
  /* Once it is reaped its number may be another's, and what it left is in its cgroup. */
  if (!exec->exited) kill(-exec->pid, SIGKILL);
  if (!exec->exited) kill(exec->pid, SIGKILL);
}

static void release_leaf(struct exec *exec) {
  cgroup_release_leaf(exec->leaf_fd, exec->leaf_number);
  exec->leaf_fd = -1;
}

void exec_release(struct exec *exec) {
  exec_streams_close(exec);
  timer_clear(&exec->limit);
  timer_clear(&exec->drain);
  timer_clear(&exec->ends);
  timer_clear(&exec->again);
  release_leaf(exec);
  ring_free(&exec->ring);
  exec->state = EXEC_FREE;
}

/* Whether it is kept only for a host that may ask how it ended. */
static bool is_kept(const struct exec *exec) {
  return exec->state == EXEC_RUNNING && exec->task == NULL && exec->exited && exec->connection == NULL && exec->out.source.fd < 0 &&
         exec->err.source.fd < 0;
}

/* A free place; when there is none, that of the one that ended first of those nobody has asked for. */
static struct exec *find_place(void) {
  struct exec *oldest = NULL;
  for (size_t i = 0; i < EXECS_MAX; i++) {
    struct exec *exec = &execs[i];
    if (exec->state == EXEC_FREE) return exec;
    if (is_kept(exec) && (oldest == NULL || exec->number < oldest->number)) oldest = exec;
  }
  if (oldest != NULL) exec_release(oldest);
  return oldest;
}

struct exec *exec_allocate(void) {
  static uint64_t last_number;
  struct exec *exec = find_place();
  if (exec == NULL) return NULL;
  memset(exec, 0, sizeof *exec);
  exec->leaf_fd = exec->report.fd = -1;
  exec->in.source.fd = exec->out.source.fd = exec->err.source.fd = -1;
  exec->limit.fire = on_limit;
  exec->drain.fire = on_drain;
  exec->ends.fire = on_ends;
  exec->again.fire = on_again;
  exec->number = ++last_number;
  exec->started_ms = clock_ms();
  return exec;
}

void exec_set_host(struct exec *exec, struct connection *connection) {
  exec->connection = connection;
  if (connection != NULL) connection->operation = exec;
  exec->queue_foreign = exec->queue_length;
}

void exec_end_operation(struct exec *exec) {
  struct connection *connection = exec->connection;
  if (connection == NULL) return;
  exec_set_host(exec, NULL);
  connection->operation = NULL;
  connection_end(connection);
  connection_wake(connection);
}

void exec_settle(struct exec *exec) {
  if (exec->task != NULL) {
    task_settle(exec);
    return;
  }
  if (exec->state != EXEC_RUNNING || !exec->exited) return;
  if (exec->connection != NULL) {
    if (!exec->exit_sent) exec_send_exit(exec);
    if (!exec->out.ended || !exec->err.ended) return;
    exec_end_operation(exec);
  } else if (exec->out.source.fd >= 0 || exec->err.source.fd >= 0) {
    return;
  } else if (exec->detach) {
    release_leaf(exec);
    return;
  }
  exec_release(exec);
}

/* The report's pipe is closed by exec itself: end of file means that the program runs. */
static void on_report(struct source *source, uint32_t events) {
  (void)events;
  struct exec *exec = OWNER(source, report);
  struct spawn_report report;
  ssize_t got = read(source->fd, &report, sizeof report);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  loop_remove(source);
  close(source->fd);
  source->fd = -1;
  if (got == sizeof report) {
    exec_answer_failed(exec, &report);
    exec_end_operation(exec);
    exec_streams_close(exec);
    timer_clear(&exec->limit);
    exec->state = EXEC_FAILED;
    if (exec->exited) exec_release(exec);
    return;
  }
  exec->state = EXEC_RUNNING;
  exec_answer_started(exec);
  if (exec->connection != NULL) connection_wake(exec->connection);
  else exec_discard(exec);
}

int exec_watch_report(struct exec *exec, int fd) {
  exec->report = (struct source){.fd = fd, .ready = on_report};
  return loop_add(&exec->report, EPOLLIN);
}

void exec_give_up(struct exec *exec) {
  fail(exec->connection, "FAILED", errno, "Cannot watch a program");
  exec->connection->operation = NULL;
  exec_set_host(exec, NULL);
  if (exec->report.fd >= 0) close(exec->report.fd);
  exec->report.fd = -1;
  exec_kill(exec);
  exec_streams_close(exec);
  exec->state = EXEC_FAILED;
}

void exec_cancelled(struct exec *exec) {
  exec_set_host(exec, NULL);
  if (exec->task != NULL) {
    task_cancelled(exec);
    return;
  }
  /* A snapshot's clones go on without the hosts of before, and other hosts may come. */
  if (agent.prepared && !exec->detach) {
    exec->detach = true;
    exec->ring.size = exec->ring_bytes;
  }
  if (!exec->detach) {
    exec_kill(exec);
    exec_streams_close(exec);
  }
  if (exec->state == EXEC_RUNNING) exec_discard(exec);
}

bool exec_reaped(pid_t pid, int status) {
  for (size_t i = 0; i < EXECS_MAX; i++) {
    struct exec *exec = &execs[i];
    if (exec->state == EXEC_FREE || exec->exited || exec->pid != pid) continue;
    exec->exited = true;
    exec->status = status;
    timer_clear(&exec->limit);
    timer_clear(&exec->ends);
    if (exec->task != NULL) {
      task_reaped(exec);
      return true;
    }
    if (exec->state == EXEC_FAILED) {
      exec_release(exec);
      return true;
    }
    exec_input_drop(exec);
    /* A terminal is over only now. */
    exec->out.ready = true;
    timer_set(&exec->drain, clock_ms() + DRAIN_MS);
    if (exec->connection != NULL) connection_wake(exec->connection);
    else exec_discard(exec);
    return true;
  }
  return false;
}

void exec_signal(struct exec *exec, int number, bool group) {
  /* Once it is reaped its number may be another's. */
  if (exec->state == EXEC_RUNNING && !exec->exited) kill(group ? -exec->pid : exec->pid, number);
}

void exec_control(struct exec *exec, const struct value *control) {
  struct value name;
  int64_t number, rows, columns;
  bool group = true;
  if (request_value(control, "control", VALUE_STR, &name) != KEY_OK || exec->state != EXEC_RUNNING || exec->exited ||
      exec->task != NULL) {
    return;
  }
  if (value_is(&name, "signal")) {
    if (request_int(control, "signal", 1, 64, &number) != KEY_OK) return;
    if (request_bool(control, "group", &group) == KEY_WRONG) return;
    exec_signal(exec, (int)number, group);
  } else if (value_is(&name, "resize") && exec->is_terminal) {
    if (request_int(control, "rows", 0, UINT16_MAX, &rows) != KEY_OK) return;
    if (request_int(control, "cols", 0, UINT16_MAX, &columns) != KEY_OK) return;
    if (exec->out.source.fd >= 0) terminal_resize(exec->out.source.fd, (uint16_t)rows, (uint16_t)columns);
  }
}
