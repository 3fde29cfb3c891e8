#include "operations.h"

#include "clock.h"
#include "request.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { TICK_MS = 10 };

static int64_t count;
static struct timer tick;

static void on_tick(struct timer *timer) {
  count++;
  timer_set(timer, clock_ms() + TICK_MS);
}

void counter_start(void) {
  tick.fire = on_tick;
  timer_set(&tick, clock_ms() + TICK_MS);
}

struct writer answer(uint32_t more_pairs) {
  static uint8_t bytes[PAYLOAD_MAX];
  struct writer writer = {.bytes = bytes, .capacity = sizeof bytes};
  write_map(&writer, 1 + more_pairs);
  write_key(&writer, "ok");
  write_bool(&writer, true);
  return writer;
}

void send_answer(struct connection *connection, const struct writer *writer) {
  if (writer->full) {
    connection_response(connection, writer);
    return;
  }
  connection_response(connection, writer);
  connection_end(connection);
}

void fail_errno(struct connection *connection, const char *what) {
  char message[200];
  int error = errno;
  snprintf(message, sizeof message, "Cannot %s: %s", what, strerror(error));
  connection_fail(connection, "FAILED", error, message);
}

void run_counter(struct connection *connection, const struct value *request) {
  (void)request;
  struct writer writer = answer(1);
  write_key(&writer, "value");
  write_int(&writer, count);
  send_answer(connection, &writer);
}

static void run_ping(struct connection *connection, const struct value *request) {
  (void)request;
  struct writer writer = answer(3);
  write_key(&writer, "version");
  write_int(&writer, 1);
  write_key(&writer, "agent");
  write_key(&writer, "test-init");
  write_key(&writer, "bootMs");
  write_int(&writer, (int64_t)clock_ms());
  send_answer(connection, &writer);
}

static const struct operation operations[] = {
    {"ping", run_ping},
    {"counter", run_counter},
    {"random", run_random},
    {"disk-write", run_disk_write},
    {"disk-read", run_disk_read},
    {"fill", run_fill},
    {"touch", run_touch},
    {"hash", run_hash},
    {"sides", run_sides},
    {"echo", run_echo},
    {"cmdline", run_cmdline},
    {"interfaces", run_interfaces},
    {"reboot", run_reboot},
    {"poweroff", run_poweroff},
    {"panic", run_panic},
    {"spin", run_spin},
};

static void on_request(struct connection *connection, const struct value *request) {
  struct value op;
  if (request_value(request, "op", VALUE_STR, &op) != KEY_OK) {
    connection_fail(connection, "BAD_REQUEST", 0, "The request has no op");
    return;
  }
  for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++) {
    if (value_is(&op, operations[i].name)) {
      operations[i].run(connection, request);
      return;
    }
  }
  connection_fail(connection, "UNKNOWN_OP", 0, "There is no such operation");
}

const struct service test_service = {
    .request = on_request,
    .data = echo_data,
    .eof = echo_eof,
    .produce = echo_produce,
    .cancelled = echo_cancelled,
};
