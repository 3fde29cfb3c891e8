#include "agent.h"
#include "cgroup.h"
#include "clock.h"
#include "exec.h"
#include "request.h"
#include "spawn.h"
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

static void on_again(struct timer *timer) { exec_discard(OWNER(timer, again)); }

struct exec *exec_allocate(void) {
  for (size_t i = 0; i < EXECS_MAX; i++) {
    struct exec *exec = &execs[i];
    if (exec->state != EXEC_FREE) continue;
    memset(exec, 0, sizeof *exec);
    exec->leaf_fd = exec->report.fd = -1;
    exec->in.source.fd = exec->out.source.fd = exec->err.source.fd = -1;
    exec->limit.fire = on_limit;
    exec->drain.fire = on_drain;
    exec->again.fire = on_again;
    return exec;
  }
  return NULL;
}

void exec_kill(struct exec *exec) {
  cgroup_kill_leaf(exec->leaf_fd);
  /* Once it is reaped its number may be another's, and what it left is in its cgroup. */
  if (!exec->exited) kill(-exec->pid, SIGKILL);
  if (!exec->exited) kill(exec->pid, SIGKILL);
}

static void release(struct exec *exec) {
  exec_streams_close(exec);
  timer_clear(&exec->limit);
  timer_clear(&exec->drain);
  timer_clear(&exec->again);
  cgroup_release_leaf(exec->leaf_fd, exec->leaf_number);
  exec->state = EXEC_FREE;
}

static void end_operation(struct exec *exec) {
  struct connection *connection = exec->connection;
  if (connection == NULL) return;
  exec->connection = NULL;
  connection->operation = NULL;
  connection_end(connection);
  connection_wake(connection);
}

static void send_exit(struct exec *exec) {
  uint8_t bytes[64];
  struct writer writer = {.bytes = bytes, .capacity = sizeof bytes};
  bool by_signal = WIFSIGNALED(exec->status);
  bool core = by_signal && WCOREDUMP(exec->status);
  write_map(&writer, 2 + (core ? 1 : 0) + (exec->timed_out ? 1 : 0));
  write_key(&writer, "event");
  write_key(&writer, "exit");
  write_key(&writer, by_signal ? "signal" : "code");
  write_int(&writer, by_signal ? WTERMSIG(exec->status) : WEXITSTATUS(exec->status));
  if (core) {
    write_key(&writer, "core");
    write_bool(&writer, true);
  }
  if (exec->timed_out) {
    write_key(&writer, "timedOut");
    write_bool(&writer, true);
  }
  connection_event(exec->connection, &writer);
  exec->exit_sent = true;
}

void exec_settle(struct exec *exec) {
  if (exec->state != EXEC_RUNNING || !exec->exited) return;
  if (exec->connection != NULL) {
    if (!exec->exit_sent) send_exit(exec);
    if (!exec->out.ended || !exec->err.ended) return;
    end_operation(exec);
  } else if (exec->out.source.fd >= 0 || exec->err.source.fd >= 0) {
    return;
  }
  release(exec);
}

static void answer_started(struct exec *exec) {
  uint8_t bytes[32];
  struct writer writer = {.bytes = bytes, .capacity = sizeof bytes};
  if (exec->connection == NULL) return;
  write_map(&writer, 2);
  write_key(&writer, "ok");
  write_bool(&writer, true);
  write_key(&writer, "pid");
  write_int(&writer, exec->pid);
  connection_response(exec->connection, &writer);
}

static const char *failure_code(const struct spawn_report *report) {
  if (report->step == SPAWN_CWD) return report->error == ENOENT || report->error == ENOTDIR ? "NOT_FOUND" : "FAILED";
  if (report->step != SPAWN_PROGRAM) return "FAILED";
  if (!report->exists && (report->error == ENOENT || report->error == ENOTDIR)) return "NOT_FOUND";
  switch (report->error) {
    case EACCES:
    case EPERM:
    case ENOEXEC:
    case ENOENT:
    case ENOTDIR:
    case EISDIR:
    case ELOOP:
    case ELIBBAD:
    case EINVAL:
      return "NOT_EXECUTABLE";
    default:
      return "FAILED";
  }
}

static void answer_failed(const struct exec *exec, const struct spawn_report *report) {
  uint8_t bytes[1024];
  struct writer writer = {.bytes = bytes, .capacity = sizeof bytes};
  char message[512];
  bool cwd = report->step == SPAWN_CWD;
  const char *why = strerror(report->error);
  if (exec->connection == NULL) return;
  if (!cwd && report->error == ENOENT) {
    if (report->exists) why = "its interpreter does not exist";
    else if (strchr(exec->program, '/') == NULL) why = "not found in PATH";
  }
  snprintf(message, sizeof message, "Cannot %s \"%s\": %s", cwd ? "enter" : "run", cwd ? exec->cwd : exec->program, why);
  write_map(&writer, 5);
  write_key(&writer, "ok");
  write_bool(&writer, false);
  write_key(&writer, "code");
  write_key(&writer, failure_code(report));
  write_key(&writer, "message");
  write_text(&writer, message);
  write_key(&writer, "errno");
  write_int(&writer, report->error);
  write_key(&writer, "what");
  write_key(&writer, cwd ? "cwd" : "program");
  connection_response(exec->connection, &writer);
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
    answer_failed(exec, &report);
    end_operation(exec);
    exec_streams_close(exec);
    timer_clear(&exec->limit);
    exec->state = EXEC_FAILED;
    if (exec->exited) release(exec);
    return;
  }
  exec->state = EXEC_RUNNING;
  answer_started(exec);
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
  exec->connection = NULL;
  if (exec->report.fd >= 0) close(exec->report.fd);
  exec->report.fd = -1;
  exec_kill(exec);
  exec_streams_close(exec);
  exec->state = EXEC_FAILED;
}

void exec_cancelled(struct exec *exec) {
  exec->connection = NULL;
  if (agent.prepared || exec->detach) {
    /* Nobody will ever write to it again; but a clone of a prepared machine may yet be attached to. */
    if (!agent.prepared) exec_input_end(exec);
  } else {
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
    if (exec->state == EXEC_FAILED) {
      release(exec);
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

void exec_control(struct exec *exec, const struct value *control) {
  struct value name;
  int64_t number, rows, columns;
  bool group = true;
  if (request_value(control, "control", VALUE_STR, &name) != KEY_OK || exec->state != EXEC_RUNNING || exec->exited) {
    return;
  }
  if (value_is(&name, "signal")) {
    if (request_int(control, "signal", 1, 64, &number) != KEY_OK) return;
    if (request_bool(control, "group", &group) == KEY_WRONG) return;
    kill(group ? -exec->pid : exec->pid, (int)number);
  } else if (value_is(&name, "resize") && exec->is_terminal) {
    if (request_int(control, "rows", 0, UINT16_MAX, &rows) != KEY_OK) return;
    if (request_int(control, "cols", 0, UINT16_MAX, &columns) != KEY_OK) return;
    if (exec->out.source.fd >= 0) terminal_resize(exec->out.source.fd, (uint16_t)rows, (uint16_t)columns);
  }
}

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
  }
}
