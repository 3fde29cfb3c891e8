#include "agent.h"
#include "cgroup.h"
#include "clock.h"
#include "environment.h"
#include "exec.h"
#include "request.h"
#include "spawn.h"
#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What a request asks for. */
struct wish {
  struct strings arguments, environment;
  char cwd[PATH_MAX], term[64];
  bool wants_stdin, wants_terminal, detach, inherit;
  int64_t rows, columns, timeout_ms;
};

/* Our ends and the child's of what connects them; -1 when there is none. */
struct ends {
  int in, out, err, child_in, child_out, child_err, report, child_report;
};

static const char fallback_path[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

static const char *read_arguments(const struct value *request, struct wish *wish) {
  struct value list, item;
  if (request_value(request, "argv", VALUE_ARRAY, &list) != KEY_OK) return "argv is not an array";
  if (list.count < 1 || list.count > ARGUMENTS_MAX) return "argv must have 1 to 1024 items";
  if (!strings_init(&wish->arguments, list.count, (size_t)(list.end - list.bytes) + list.count)) return "no memory";
  const uint8_t *at = list.bytes;
  for (size_t i = 0; i < list.count; i++) {
    value_next(&list, &at, &item);
    if (item.kind != VALUE_STR && item.kind != VALUE_BIN) return "argv must have str or bin items";
    if (!strings_add(&wish->arguments, item.bytes, item.count)) return "an item of argv has a NUL";
  }
  return wish->arguments.list[0][0] == 0 ? "argv[0] is empty" : NULL;
}

static const char *read_terminal(const struct value *request, struct wish *wish) {
  struct value terminal;
  enum key found = request_value(request, "pty", VALUE_MAP, &terminal);
  wish->wants_terminal = found == KEY_OK;
  if (found != KEY_OK) return found == KEY_WRONG ? "pty is not a map" : NULL;
  if (request_int(&terminal, "rows", 0, UINT16_MAX, &wish->rows) != KEY_OK ||
      request_int(&terminal, "cols", 0, UINT16_MAX, &wish->columns) != KEY_OK) {
    return "pty must have rows and cols from 0 to 65535";
  }
  return request_text(&terminal, "term", wish->term, sizeof wish->term) == KEY_WRONG ? "pty.term is wrong" : NULL;
}

static const char *read_environment(const struct value *request, struct wish *wish) {
  static const uint8_t term[] = "TERM";
  struct value map;
  enum key found = request_value(request, "env", VALUE_MAP, &map);
  if (found == KEY_WRONG) return "env is not a map";
  if (!strings_init(&wish->environment, VARIABLES_MAX, STRINGS_BYTES_MAX)) return "no memory";
  if (wish->inherit && !environment_defaults(&wish->environment)) return "the environment is too large";
  if (wish->term[0] != 0 && !strings_set(&wish->environment, term, sizeof term - 1, (const uint8_t *)wish->term,
                                         strlen(wish->term))) {
    return "the environment is too large";
  }
  if (found == KEY_OK && !strings_set_all(&wish->environment, &map)) {
    return "env must have names without = and str values without NUL, 1024 at most and 131072 bytes in all";
  }
  if (wish->arguments.used + wish->environment.used > STRINGS_BYTES_MAX) {
    return "arguments and environment are more than 131072 bytes";
  }
  return NULL;
}

/* NULL, or what is wrong with the request. */
static const char *read_wish(const struct value *request, struct wish *wish) {
  wish->inherit = true;
  strcpy(wish->cwd, "/");
  if (request_bool(request, "stdin", &wish->wants_stdin) != KEY_OK) return "stdin is not a bool";
  if (request_bool(request, "detach", &wish->detach) == KEY_WRONG) return "detach is not a bool";
  if (request_bool(request, "inheritEnv", &wish->inherit) == KEY_WRONG) return "inheritEnv is not a bool";
  if (request_path(request, "cwd", wish->cwd, sizeof wish->cwd) == KEY_WRONG) {
    return "cwd is not a str or bin without NUL of at most 4095 bytes";
  }
  if (request_int(request, "timeoutMs", 1, INT64_MAX / 2, &wish->timeout_ms) == KEY_WRONG) {
    return "timeoutMs is not a positive int";
  }
  const char *wrong = read_arguments(request, wish);
  if (wrong == NULL) wrong = read_terminal(request, wish);
  if (wrong == NULL) wrong = read_environment(request, wish);
  return wrong;
}

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
static int start_child(struct exec *exec, const struct wish *wish, const struct ends *ends) {
  if (cgroup_available()) {
    exec->leaf_fd = cgroup_make_leaf(&exec->leaf_number);
    if (exec->leaf_fd < 0) return -1;
  }
  const char *path = strings_get(&wish->environment, "PATH");
  struct spawn child = {
      .arguments = wish->arguments.list,
      .environment = wish->environment.list,
      .path = path != NULL ? path : fallback_path,
      .cwd = wish->cwd,
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

static void start(struct connection *connection, const struct wish *wish) {
  struct exec *exec = exec_allocate();
  struct ends ends;
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
  exec->connection = connection;
  exec->detach = wish->detach;
  exec->is_terminal = wish->wants_terminal;
  snprintf(exec->program, sizeof exec->program, "%s", wish->arguments.list[0]);
  snprintf(exec->cwd, sizeof exec->cwd, "%.*s", (int)sizeof exec->cwd - 1, wish->cwd);
  connection->operation = exec;
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
  struct wish wish = {0};
  const char *wrong = read_wish(request, &wish);
  if (wrong == NULL) start(connection, &wish);
  else fail(connection, "BAD_REQUEST", 0, "Cannot start a program: %s", wrong);
  strings_free(&wish.arguments);
  strings_free(&wish.environment);
}
