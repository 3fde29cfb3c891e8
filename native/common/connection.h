#ifndef VIRGA_CONNECTION_H
#define VIRGA_CONNECTION_H

#include "channel.h"
#include "loop.h"
#include "msgpack.h"

/* A channel over a descriptor in the loop. One connection carries one operation at a time. */

enum connection_kind {
  /* A virtio-serial port: it stays when its host goes, and the next host's bytes follow the last one's. */
  CONNECTION_PORT,
  /* A socket: gone when its peer is. */
  CONNECTION_SOCKET,
};

struct connection;

/*
 * What a program does with its connections; all but `request` may be NULL. Must not call connection_pump() or
 * connection_drop() on the same connection: what was produced is sent when they return.
 */
struct service {
  /* A request, checked: answer by connection_ok(), connection_fail() or connection_response(). */
  void (*request)(struct connection *connection, const struct value *request);
  void (*data)(struct connection *connection, const uint8_t *bytes, size_t length);
  void (*eof)(struct connection *connection);
  void (*control)(struct connection *connection, const struct value *control);
  /* There is room for output: true when some was produced, and then it is asked again. */
  bool (*produce)(struct connection *connection);
  /* The session is over, with or without an operation running. `connection` may soon be freed. */
  void (*cancelled)(struct connection *connection);
  /* A socket has been closed: the last call about it. */
  void (*gone)(struct connection *connection);
};

struct connection {
  struct source source;
  struct channel channel;
  enum connection_kind kind;
  const struct service *service;
  /* The host of a port has gone, as it seems; or: there is more to do after the others had their turn. */
  struct timer absent, again;
  bool dead;
  struct connection *next;
  /* The running operation's own state. */
  void *operation;
};

/* All of them. */
extern struct connection *connections;

/* Takes over `fd`, which must not block. NULL (and fd closed) when there is no memory. */
struct connection *connection_open(int fd, enum connection_kind kind, const struct service *service);

/* Sends what waits and asks the service for more. Call it after anything that may have made output possible. */
void connection_pump(struct connection *connection);

/* The same, soon: may be called from anywhere. */
void connection_wake(struct connection *connection);

/* Ends the session: for a socket it is closed soon after. */
void connection_drop(struct connection *connection);

/* Whether output of any connection waits. */
bool connection_output_waits(const struct connection *connection);

/* Sends RESPONSE or EVENT, built with a writer; one that is full becomes the failure FAILED. */
void connection_response(struct connection *connection, const struct writer *writer);
void connection_event(struct connection *connection, const struct writer *writer);

/* {ok: true} and END. */
void connection_ok(struct connection *connection);
/* {ok: false, code, message, errno?} and END. `error` 0: no errno. `message` is UTF-8 or made so. */
void connection_fail(struct connection *connection, const char *code, int error, const char *message);
void connection_end(struct connection *connection);

#endif
