#include "agent.h"
#include "cgroup.h"
#include "clock.h"
#include "exec-wish.h"
#include "exec.h"
#include "spawn.h"
#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Our ends and the child's of what connects them; -1 when there is none. */
struct ends {
  int in, out, err, child_in, child_out, child_err, report, child_report;
};

static const char fallback_path[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

static void close_all(const int *fds, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (fds[i] >= 0) close(fds[i]);
  }
}

static void close_ours(const struct ends *ends) {
  close_all((const int[]){ends->in, ends->out, ends->err, ends->report}, 4);
}

static void close_theirs(const struct ends *ends) {
  /* On a terminal all three are one descriptor. */
  bool same = ends->child_in == ends->child_out;
  close_all((const int[]){ends->child_in, same ? -1 : ends->child_out, same ? -1 : ends->child_err,
                          ends->child_report},
            4);
}

/* Which end we keep is the one that must not block. */
static int make_pipe(int *read_end, int *write_end, int *ours) {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) return -1;
  *read_end = fds[0];
  *write_end = fds[1];
  return fcntl(*ours, F_SETFL, O_NONBLOCK);
}

static int make_ends(const struct wish *wish, struct ends *ends) {
  *ends = (struct ends){-1, -1, -1, -1, -1, -1, -1, -1};
  if (make_pipe(&ends->report, &ends->child_report, &ends->report) != 0) return -1;
  if (wish->wants_terminal) {
    if (terminal_open((uint16_t)wish->rows, (uint16_t)wish->columns, &ends->out, &ends->child_in) != 0) return -1;
    ends->child_out = ends->child_err = ends->child_in;
    if (wish->wants_stdin) ends->in = fcntl(ends->out, F_DUPFD_CLOEXEC, 0);
    return wish->wants_stdin && ends->in < 0 ? -1 : 0;
  }
  if (wish->wants_stdin) {
    if (make_pipe(&ends->child_in, &ends->in, &ends->in) != 0) return -1;
  } else {
    ends->child_in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (ends->child_in < 0) return -1;
  }
  if (make_pipe(&ends->out, &ends->child_out, &ends->out) != 0) return -1;
  return make_pipe(&ends->err, &ends->child_err, &ends->err);
}

/* Starts the child; 0, or -1 with errno. What it was given is the caller's to close. */
static int start_child(struct exec *exec, struct wish *wish, const struct ends *ends) {
  if (cgroup_available()) {
    exec->leaf_fd = cgroup_make_leaf(&exec->leaf_number);
    if (exec->leaf_fd < 0) return -1;
  }
  const char *path = strings_get(&wish->environment, "PATH");
  struct spawn child = {
      .arguments = &wish->arguments,
      .environment = &wish->environment,
      .path = path != NULL ? path : fallback_path,
      .cwd = wish->cwd,
      .user = wish->user,
      .login = wish->login,
      .named = wish->inherit ? &wish->variables : NULL,
      .limits = &wish->limits,
      .in = ends->child_in,
      .out = ends->child_out,
      .err = ends->child_err,
      .is_terminal = wish->wants_terminal,
      .leaf_fd = exec->leaf_fd,
      .report_fd = ends->child_report,
  };
  exec->pid = spawn(&child);
  if (exec->pid >= 0) return 0;
  int error = errno;
  cgroup_release_leaf(exec->leaf_fd, exec->leaf_number);
  errno = error;
  return -1;
}

static void start(struct connection *connection, struct wish *wish) {
  struct ends ends;
  const struct exec *other = wish->tag[0] == 0 ? NULL : exec_find(0, wish->tag);
  if (other != NULL && !other->exited) {
    fail(connection, "BAD_REQUEST", 0, "Cannot start a program: another one has the tag \"%s\"", wish->tag);
    return;
  }
  struct exec *exec = exec_allocate();
  if (exec == NULL) {
    fail(connection, "FAILED", EAGAIN, "Cannot start a program: %d are running", EXECS_MAX);
    return;
  }
  bool started = make_ends(wish, &ends) == 0 && start_child(exec, wish, &ends) == 0;
  int error = errno;
  close_theirs(&ends);
  if (!started) {
    close_ours(&ends);
    fail(connection, "FAILED", error, "Cannot start a program");
    return;
  }
  exec->state = EXEC_STARTING;
  exec_set_host(exec, connection);
  exec->detach = wish->detach;
  exec->is_terminal = wish->wants_terminal;
  snprintf(exec->program, sizeof exec->program, "%s", wish->login ? "login shell" : wish->arguments.list[0]);
  snprintf(exec->user, sizeof exec->user, "%s", wish->user);
  strcpy(exec->tag, wish->tag);
  exec->ring_bytes = (size_t)wish->ring_bytes;
  if (exec->detach) exec->ring.size = exec->ring_bytes;
  snprintf(exec->cwd, sizeof exec->cwd, "%.*s", (int)sizeof exec->cwd - 1, wish->cwd);
  if (exec_streams_open(exec, ends.in, ends.out, ends.err) != 0 || exec_watch_report(exec, ends.report) != 0) {
    exec_give_up(exec);
    return;
  }
  if (wish->timeout_ms > 0) timer_set(&exec->limit, clock_ms() + (uint64_t)wish->timeout_ms);
}

void exec_request(struct connection *connection, const struct value *request) {
  if (agent.prepared || agent.ending) {
    fail(connection, "BUSY", 0, "Cannot start a program while the machine is %s",
         agent.prepared ? "prepared for a snapshot" : "shutting down");
    return;
  }
  struct wish wish;
  const char *wrong = wish_read(request, &wish);
  if (wrong == NULL) start(connection, &wish);
  else fail(connection, "BAD_REQUEST", 0, "Cannot start a program: %s", wrong);
  wish_free(&wish);
}
