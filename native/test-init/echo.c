#include "operations.h"

#include <stdlib.h>
#include <string.h>

/* What came and has not gone back: the host's window bounds it. */
struct echo {
  uint8_t bytes[WINDOW];
  size_t start, length;
  bool ended;
};

void run_echo(struct connection *connection, const struct value *request) {
  (void)request;
  struct echo *echo = malloc(sizeof *echo);
  if (echo == NULL) {
    fail_errno(connection, "get memory");
    return;
  }
  echo->start = echo->length = 0;
  echo->ended = false;
  connection->operation = echo;
  struct writer writer = answer(0);
  connection_response(connection, &writer);
}

void echo_data(struct connection *connection, const uint8_t *bytes, size_t length) {
  struct echo *echo = connection->operation;
  if (echo == NULL || echo->ended) {
    channel_consumed(&connection->channel, length);
    return;
  }
  memmove(echo->bytes, echo->bytes + echo->start, echo->length);
  echo->start = 0;
  memcpy(echo->bytes + echo->length, bytes, length);
  echo->length += length;
}

void echo_eof(struct connection *connection) {
  struct echo *echo = connection->operation;
  if (echo != NULL) echo->ended = true;
}

bool echo_produce(struct connection *connection) {
  struct echo *echo = connection->operation;
  struct channel *channel = &connection->channel;
  if (echo == NULL) return false;
  if (echo->length > 0) {
    size_t room = channel_room(channel);
    size_t length = room < echo->length ? room : echo->length;
    if (length == 0) return false;
    channel_data(channel, STREAM_OUT, echo->bytes + echo->start, length);
    echo->start += length;
    echo->length -= length;
    channel_consumed(channel, length);
    return true;
  }
  if (!echo->ended || !channel_eof_room(channel)) return false;
  channel_eof(channel, STREAM_OUT);
  echo_cancelled(connection);
  connection_end(connection);
  return true;
}

void echo_cancelled(struct connection *connection) {
  free(connection->operation);
  connection->operation = NULL;
}
