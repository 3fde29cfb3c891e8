#include "agent.h"

#include "clock.h"
#include "exec.h"
#include "freeze.h"
#include "request.h"
#include "task.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct agent agent;

void fail(struct connection *connection, const char *code, int error, const char *format, ...) {
  char message[512];
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  if (error != 0 && length > 0 && (size_t)length < sizeof message) {
    snprintf(message + length, sizeof message - (size_t)length, ": %s", strerror(error));
  }
  connection_fail(connection, code, error, message);
}

static void ping(struct connection *connection) {
  uint8_t bytes[512];
  struct writer writer = {.bytes = bytes, .capacity = sizeof bytes};
  bool has_problem = agent.problem[0] != 0;
  write_map(&writer, has_problem ? 7 : 6);
  write_key(&writer, "ok");
  write_bool(&writer, true);
  write_key(&writer, "version");
  write_int(&writer, 1);
  write_key(&writer, "agent");
  write_key(&writer, AGENT_VERSION);
  write_key(&writer, "bootMs");
  write_int(&writer, (int64_t)clock_ms());
  write_key(&writer, "prepared");
  write_bool(&writer, agent.prepared);
  write_key(&writer, "initialised");
  write_bool(&writer, agent.initialised);
  if (has_problem) {
    write_key(&writer, "problem");
    write_text(&writer, agent.problem);
  }
  connection_response(connection, &writer);
  connection_end(connection);
}

static void on_request(struct connection *connection, const struct value *request) {
  struct value op;
  const struct task *task;
  if (request_value(request, "op", VALUE_STR, &op) != KEY_OK) {
    connection_fail(connection, "BAD_REQUEST", 0, "The request has no op");
  } else if (value_is(&op, "ping")) {
    ping(connection);
  } else if (value_is(&op, "exec")) {
    exec_request(connection, request);
  } else if (value_is(&op, "attach")) {
    attach_request(connection, request);
  } else if (value_is(&op, "signal")) {
    signal_request(connection, request);
  } else if (value_is(&op, "execs")) {
    execs_request(connection);
  } else if (value_is(&op, "init")) {
    init_request(connection, request);
  } else if (value_is(&op, "prepare")) {
    prepare_request(connection, request);
  } else if (value_is(&op, "thaw")) {
    thaw_request(connection);
  } else if (value_is(&op, "stats")) {
    stats_request(connection);
  } else if (value_is(&op, "shutdown")) {
    shutdown_request(connection, request);
  } else if ((task = task_find(&op)) != NULL) {
    task_request(connection, request, task);
  } else {
    connection_fail(connection, "UNKNOWN_OP", 0, "There is no such operation");
  }
}

/* Only exec streams: `operation` is its exec. */
static void on_data(struct connection *connection, const uint8_t *bytes, size_t length) {
  struct exec *exec = connection->operation;
  if (exec != NULL) exec_input(exec, bytes, length);
  else channel_consumed(&connection->channel, length);
}

static void on_eof(struct connection *connection) {
  struct exec *exec = connection->operation;
  if (exec != NULL) exec_input_end(exec);
}

static void on_control(struct connection *connection, const struct value *control) {
  struct exec *exec = connection->operation;
  if (exec != NULL) exec_control(exec, control);
}

static bool on_produce(struct connection *connection) {
  struct exec *exec = connection->operation;
  return exec != NULL && exec_produce(exec);
}

static void on_cancelled(struct connection *connection) {
  struct exec *exec = connection->operation;
  connection->operation = NULL;
  freeze_cancelled(connection);
  if (exec != NULL) exec_cancelled(exec);
}

const struct service agent_service = {
    .request = on_request,
    .data = on_data,
    .eof = on_eof,
    .control = on_control,
    .produce = on_produce,
    .cancelled = on_cancelled,
};
