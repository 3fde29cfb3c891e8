#include "connection.h"

#include "clock.h"
#include "log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
  ABSENT_MS = 100,
  /* reads, and frames produced, before the others have their turn */
  TURN_READS = 4,
  TURN_FRAMES = 16,
};

struct connection *connections;

#define OWNER(pointer, member) ((struct connection *)((char *)(pointer) - offsetof(struct connection, member)))

static void on_request(struct channel *channel, const uint8_t *payload, size_t length) {
  struct connection *connection = OWNER(channel, channel);
  struct value request;
  const char *wrong = msgpack_check(payload, length, &request);
  if (wrong != NULL) {
    connection_fail(connection, "BAD_REQUEST", 0, "The request is not a MessagePack map of the subset");
    return;
  }
  connection->service->request(connection, &request);
}

static void on_data(struct channel *channel, const uint8_t *bytes, size_t length) {
  struct connection *connection = OWNER(channel, channel);
  if (connection->service->data != NULL) connection->service->data(connection, bytes, length);
  else channel_consumed(channel, length);
}

static void on_eof(struct channel *channel) {
  struct connection *connection = OWNER(channel, channel);
  if (connection->service->eof != NULL) connection->service->eof(connection);
}

static void on_control(struct channel *channel, const uint8_t *payload, size_t length) {
  struct connection *connection = OWNER(channel, channel);
  struct value control;
  if (connection->service->control == NULL) return;
  if (msgpack_check(payload, length, &control) == NULL) connection->service->control(connection, &control);
}

static void on_closed(struct channel *channel) {
  struct connection *connection = OWNER(channel, channel);
  timer_clear(&connection->absent);
  if (connection->service->cancelled != NULL) connection->service->cancelled(connection);
}

static const struct channel_events events = {on_request, on_data, on_eof, on_control, on_closed};

void connection_wake(struct connection *connection) { timer_set(&connection->again, clock_ms()); }

/* Closing waits for the timer: our caller may still be using the connection. */
static void die(struct connection *connection) {
  if (connection->dead) return;
  connection->dead = true;
  channel_abort(&connection->channel);
  connection_wake(connection);
}

static void bury(struct connection *connection) {
  loop_remove(&connection->source);
  timer_clear(&connection->absent);
  timer_clear(&connection->again);
  close(connection->source.fd);
  for (struct connection **place = &connections; *place != NULL; place = &(*place)->next) {
    if (*place == connection) {
      *place = connection->next;
      break;
    }
  }
  if (connection->service->gone != NULL) connection->service->gone(connection);
  channel_free(&connection->channel);
  free(connection);
}

/* The host of a port seems to be away. Its bytes may be ahead of the news that it came: only time tells. */
static void seems_absent(struct connection *connection) {
  if (!connection->channel.open || connection->absent.armed) return;
  timer_set(&connection->absent, clock_ms() + ABSENT_MS);
}

static void read_all(struct connection *connection) {
  for (int turn = 0; turn < TURN_READS; turn++) {
    size_t length = 0;
    ssize_t got = 1;
    int error = 0;
    uint8_t *chunk = channel_space(&connection->channel);
    /* A port gives one page at a time. */
    while (length < CHANNEL_CHUNK) {
      got = read(connection->source.fd, chunk + length, CHANNEL_CHUNK - length);
      error = errno;
      if (got < 0 && error == EINTR) continue;
      if (got <= 0) break;
      length += (size_t)got;
    }
    if (length > 0) {
      timer_clear(&connection->absent);
      channel_receive(&connection->channel, chunk, length);
    }
    if (got > 0) continue;
    if (got < 0 && error == EAGAIN) {
      timer_clear(&connection->absent);
    } else if (connection->kind == CONNECTION_PORT && (got == 0 || error != ENODEV)) {
      seems_absent(connection);
    } else {
      die(connection);
    }
    return;
  }
  connection_wake(connection);
}

/* Writes what waits; false when some still waits. */
static bool write_all(struct connection *connection) {
  size_t length;
  const uint8_t *bytes = channel_output(&connection->channel, &length);
  while (length > 0) {
    ssize_t put = write(connection->source.fd, bytes, length);
    if (put > 0) {
      channel_sent(&connection->channel, (size_t)put);
    } else if (put == 0 || errno == EAGAIN) {
      return false;
    } else if (errno != EINTR) {
      /* A port recovers when a host comes; a socket does not. */
      if (connection->kind == CONNECTION_SOCKET) die(connection);
      return false;
    }
    bytes = channel_output(&connection->channel, &length);
  }
  return true;
}

void connection_pump(struct connection *connection) {
  if (connection->dead) return;
  struct channel *channel = &connection->channel;
  for (int turn = 0; turn < TURN_FRAMES; turn++) {
    if (channel->broken && channel->open) connection_drop(connection);
    bool produced = channel->busy && connection->service->produce != NULL && connection->service->produce(connection);
    if (produced && !channel_output_is_large(channel)) continue;
    bool waited = connection_output_waits(connection);
    if (!write_all(connection)) return;
    if (!produced && !waited && !channel->broken) return;
  }
  if (write_all(connection)) connection_wake(connection);
}

static void on_ready(struct source *source, uint32_t ready) {
  struct connection *connection = OWNER(source, source);
  (void)ready;
  if (connection->dead) return;
  read_all(connection);
  connection_pump(connection);
}

static void on_again(struct timer *timer) {
  struct connection *connection = OWNER(timer, again);
  if (connection->dead) {
    bury(connection);
    return;
  }
  read_all(connection);
  connection_pump(connection);
}

static void on_absent(struct timer *timer) {
  struct connection *connection = OWNER(timer, absent);
  static uint8_t probe[1];
  /* Is it still away, and did nothing come? A read that gives a byte must not lose it. */
  ssize_t got = read(connection->source.fd, probe, sizeof probe);
  if (got > 0) {
    channel_receive(&connection->channel, probe, (size_t)got);
    read_all(connection);
  } else if (got == 0 || errno != EAGAIN) {
    connection_drop(connection);
  }
  connection_pump(connection);
}

void connection_drop(struct connection *connection) {
  if (connection->kind == CONNECTION_SOCKET) die(connection);
  else channel_abort(&connection->channel);
}

struct connection *connection_open(int fd, enum connection_kind kind, const struct service *service) {
  struct connection *connection = calloc(1, sizeof *connection);
  if (connection == NULL) {
    close(fd);
    return NULL;
  }
  connection->source = (struct source){.fd = fd, .ready = on_ready};
  connection->absent.fire = on_absent;
  connection->again.fire = on_again;
  connection->kind = kind;
  connection->service = service;
  channel_init(&connection->channel, &events);
  /* Edges: a port without a host reports a hang-up for ever, and would keep a level-triggered loop spinning. */
  if (loop_add(&connection->source, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET) != 0) {
    log_line("cannot watch descriptor %d: %s", fd, strerror(errno));
    close(fd);
    free(connection);
    return NULL;
  }
  connection->next = connections;
  connections = connection;
  /* Bytes that came before we watched make no edge. */
  connection_wake(connection);
  return connection;
}

bool connection_output_waits(const struct connection *connection) {
  size_t length;
  channel_output(&connection->channel, &length);
  return length > 0;
}
