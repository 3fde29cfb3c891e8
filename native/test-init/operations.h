#ifndef VIRGA_TEST_OPERATIONS_H
#define VIRGA_TEST_OPERATIONS_H

#include "connection.h"

/* The operations, by name. Each answers and ends, but echo, which goes on by `test_service`. */
struct operation {
  const char *name;
  void (*run)(struct connection *connection, const struct value *request);
};

extern const struct service test_service;

/* Starts what `counter` counts. */
void counter_start(void);
void run_counter(struct connection *connection, const struct value *request);

/* memory.c */
void run_fill(struct connection *connection, const struct value *request);
void run_touch(struct connection *connection, const struct value *request);
void run_hash(struct connection *connection, const struct value *request);
void run_sides(struct connection *connection, const struct value *request);

/* disk.c */
void run_disk_write(struct connection *connection, const struct value *request);
void run_disk_read(struct connection *connection, const struct value *request);

/* machine.c */
void run_random(struct connection *connection, const struct value *request);
void run_cmdline(struct connection *connection, const struct value *request);
void run_interfaces(struct connection *connection, const struct value *request);
void run_reboot(struct connection *connection, const struct value *request);
void run_poweroff(struct connection *connection, const struct value *request);
void run_panic(struct connection *connection, const struct value *request);
void run_spin(struct connection *connection, const struct value *request);

/* echo.c */
void run_echo(struct connection *connection, const struct value *request);
void echo_data(struct connection *connection, const uint8_t *bytes, size_t length);
void echo_eof(struct connection *connection);
bool echo_produce(struct connection *connection);
void echo_cancelled(struct connection *connection);

/* A writer over a static buffer, one answer's size, with the map's head and `ok: true` written. */
struct writer answer(uint32_t more_pairs);
void send_answer(struct connection *connection, const struct writer *writer);
void fail_errno(struct connection *connection, const char *what);

#endif
