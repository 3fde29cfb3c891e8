#ifndef VIRGA_AGENT_H
#define VIRGA_AGENT_H

#include "connection.h"

#include <sys/types.h>

#define AGENT_VERSION "0.1.0"

/* What the whole agent knows. */
struct agent {
  /* PID 1 of a virtual machine. Else an ordinary process over a socket, which must leave the machine alone. */
  bool is_machine;
  /* User processes are frozen and everything about them stands still. */
  bool prepared;
  bool initialised;
  /* Shutting down: nothing new is started. */
  bool ending;
  /* Why the root file system is not what was asked for; empty when all is well. */
  char problem[256];
};

extern struct agent agent;
extern const struct service agent_service;

/* The operations. Each checks its request and answers, now or later. */
void exec_request(struct connection *connection, const struct value *request);
void attach_request(struct connection *connection, const struct value *request);
void signal_request(struct connection *connection, const struct value *request);
void execs_request(struct connection *connection);
void init_request(struct connection *connection, const struct value *request);
void prepare_request(struct connection *connection, const struct value *request);
void thaw_request(struct connection *connection);
void stats_request(struct connection *connection);
void shutdown_request(struct connection *connection, const struct value *request);

/* A failure whose message is built: `format` gives the sentence, strerror(error) is put behind it when not 0. */
__attribute__((format(printf, 4, 5))) void fail(struct connection *connection, const char *code, int error,
                                                const char *format, ...);

#endif
