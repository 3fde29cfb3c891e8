#include "connection.h"

#include <string.h>

static void send(struct connection *connection, enum frame_type type, const struct writer *writer) {
  channel_message(&connection->channel, type, writer->bytes, writer->length);
}

void connection_response(struct connection *connection, const struct writer *writer) {
  if (writer->full) connection_fail(connection, "FAILED", 0, "The answer does not fit into a frame");
  else send(connection, FRAME_RESPONSE, writer);
}

void connection_event(struct connection *connection, const struct writer *writer) {
  if (!writer->full) send(connection, FRAME_EVENT, writer);
}

void connection_end(struct connection *connection) {
  channel_end(&connection->channel);
}

void connection_ok(struct connection *connection) {
  uint8_t bytes[16];
  struct writer writer = {.bytes = bytes, .capacity = sizeof bytes};
  write_map(&writer, 1);
  write_key(&writer, "ok");
  write_bool(&writer, true);
  connection_response(connection, &writer);
  connection_end(connection);
}

void connection_fail(struct connection *connection, const char *code, int error, const char *message) {
  uint8_t bytes[1280];
  struct writer writer = {.bytes = bytes, .capacity = sizeof bytes};
  write_map(&writer, error != 0 ? 4 : 3);
  write_key(&writer, "ok");
  write_bool(&writer, false);
  write_key(&writer, "code");
  write_str(&writer, code, strlen(code));
  write_key(&writer, "message");
  write_text(&writer, message);
  if (error != 0) {
    write_key(&writer, "errno");
    write_int(&writer, error);
  }
  send(connection, FRAME_RESPONSE, &writer);
  connection_end(connection);
}
