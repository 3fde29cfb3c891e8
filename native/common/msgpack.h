#ifndef VIRGA_MSGPACK_H
#define VIRGA_MSGPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The MessagePack subset of the protocol. Reading allocates nothing: values point into the message. */

enum value_kind { VALUE_NIL, VALUE_BOOL, VALUE_INT, VALUE_STR, VALUE_BIN, VALUE_ARRAY, VALUE_MAP };

/* A value of a message that msgpack_check() accepted. */
struct value {
  enum value_kind kind;
  /* VALUE_BOOL: 0 or 1; VALUE_INT */
  int64_t number;
  /* VALUE_STR, VALUE_BIN: the bytes; VALUE_ARRAY, VALUE_MAP: the first item */
  const uint8_t *bytes;
  /* VALUE_STR, VALUE_BIN: bytes; VALUE_ARRAY: items; VALUE_MAP: pairs */
  size_t count;
  /* behind the message */
  const uint8_t *end;
};

/* NULL when `bytes` are one valid map and nothing else, and then *map is it; else what is wrong. */
const char *msgpack_check(const uint8_t *bytes, size_t length, struct value *map);

/* The value of `key`, the first when it repeats; false when there is none. nil counts as none. */
bool map_get(const struct value *map, const char *key, struct value *value);

/* Goes through an array's items or a map's keys and values in turn. Start with *at = container->bytes. */
void value_next(const struct value *container, const uint8_t **at, struct value *item);

/* Writes into a buffer of fixed size; `full` says that something did not fit, and then nothing more is written. */
struct writer {
  uint8_t *bytes;
  size_t capacity;
  size_t length;
  bool full;
};

void write_map(struct writer *writer, uint32_t pairs);
void write_array(struct writer *writer, uint32_t items);
void write_int(struct writer *writer, int64_t number);
void write_bool(struct writer *writer, bool truth);
void write_nil(struct writer *writer);
/* `bytes` must be UTF-8. */
void write_str(struct writer *writer, const char *bytes, size_t length);
void write_key(struct writer *writer, const char *key);
/* Any bytes as a str: what is not UTF-8 becomes "?", and it is cut at 1,024 bytes. */
void write_text(struct writer *writer, const char *bytes);
void write_bin(struct writer *writer, const uint8_t *bytes, size_t length);

#endif
