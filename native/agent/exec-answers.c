#include "agent.h"
#include "exec.h"
#include "spawn.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

/* What a host is told of a program: that it runs, why it does not, how it ended. */

void exec_answer_started(struct exec *exec) {
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
  if (report->step == SPAWN_USER) return report->error == ENOENT ? "NOT_FOUND" : "FAILED";
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

static void describe(const struct exec *exec, const struct spawn_report *report, char *message, size_t capacity) {
  const char *why = strerror(report->error);
  switch (report->step) {
    case SPAWN_CWD:
      snprintf(message, capacity, "Cannot enter \"%s\": %s", exec->cwd, why);
      return;
    case SPAWN_USER:
      if (report->error == ENOENT) why = "there is no such user or group";
      snprintf(message, capacity, "Cannot run as \"%s\": %s", exec->user, why);
      return;
    case SPAWN_LIMITS:
      snprintf(message, capacity, "Cannot set the limits of \"%s\": %s", exec->program, why);
      return;
    case SPAWN_PROGRAM:
      if (report->error == ENOENT) {
        if (report->exists) why = "its interpreter does not exist";
        else if (strchr(exec->program, '/') == NULL) why = "not found in PATH";
      }
      break;
    default:
      break;
  }
  snprintf(message, capacity, "Cannot run \"%s\": %s", exec->program, why);
}

void exec_answer_failed(const struct exec *exec, const struct spawn_report *report) {
  static const char *const whats[] = {
      [SPAWN_CWD] = "cwd", [SPAWN_USER] = "user", [SPAWN_LIMITS] = "limits", [SPAWN_PROGRAM] = "program",
      [SPAWN_DESCRIPTORS] = "program"};
  uint8_t bytes[1024];
  struct writer writer = {.bytes = bytes, .capacity = sizeof bytes};
  char message[512];
  if (exec->connection == NULL) return;
  describe(exec, report, message, sizeof message);
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
  write_key(&writer, whats[report->step]);
  connection_response(exec->connection, &writer);
}

uint32_t exec_exit_keys(const struct exec *exec) {
  return 1 + (WIFSIGNALED(exec->status) && WCOREDUMP(exec->status) ? 1 : 0) + (exec->timed_out ? 1 : 0);
}

void exec_write_exit(struct writer *writer, const struct exec *exec) {
  bool by_signal = WIFSIGNALED(exec->status);
  write_key(writer, by_signal ? "signal" : "code");
  write_int(writer, by_signal ? WTERMSIG(exec->status) : WEXITSTATUS(exec->status));
  if (by_signal && WCOREDUMP(exec->status)) {
    write_key(writer, "core");
    write_bool(writer, true);
  }
  if (exec->timed_out) {
    write_key(writer, "timedOut");
    write_bool(writer, true);
  }
}

void exec_send_exit(struct exec *exec) {
  uint8_t bytes[64];
  struct writer writer = {.bytes = bytes, .capacity = sizeof bytes};
  write_map(&writer, 1 + exec_exit_keys(exec));
  write_key(&writer, "event");
  write_key(&writer, "exit");
  exec_write_exit(&writer, exec);
  connection_event(exec->connection, &writer);
  exec->exit_sent = true;
}
