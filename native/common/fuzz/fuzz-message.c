#include "fuzz.h"

#include "msgpack.h"
#include "utf8.h"

#include <string.h>

enum { WRITTEN_MAX = 1 << 20 };

static uint8_t written[WRITTEN_MAX];

/* Writes a value anew; what it is made of lies within the message. */
static void copy(const struct value *value, const uint8_t *data, size_t size, struct writer *writer) {
  const uint8_t *at = value->bytes;
  struct value item;
  MUST(value->end == data + size);
  switch (value->kind) {
    case VALUE_NIL:
      write_nil(writer);
      return;
    case VALUE_BOOL:
      write_bool(writer, value->number != 0);
      return;
    case VALUE_INT:
      MUST(value->number <= 9007199254740991 && value->number >= -9007199254740991);
      write_int(writer, value->number);
      return;
    case VALUE_STR:
      MUST(value->bytes >= data && value->count <= (size_t)(data + size - value->bytes));
      write_str(writer, (const char *)value->bytes, value->count);
      return;
    case VALUE_BIN:
      MUST(value->bytes >= data && value->count <= (size_t)(data + size - value->bytes));
      write_bin(writer, value->bytes, value->count);
      return;
    case VALUE_ARRAY:
      write_array(writer, (uint32_t)value->count);
      break;
    case VALUE_MAP:
      write_map(writer, (uint32_t)value->count);
      break;
  }
  size_t items = value->kind == VALUE_MAP ? 2 * value->count : value->count;
  MUST(items <= size);
  for (size_t i = 0; i < items; i++) {
    value_next(value, &at, &item);
    copy(&item, data, size, writer);
  }
}

void fuzz_message(const uint8_t *data, size_t size) {
  struct value map, again, value;
  struct writer writer = {.bytes = written, .capacity = sizeof written};
  if (msgpack_check(data, size, &map) != NULL) return;
  copy(&map, data, size, &writer);
  /* The shortest form is never longer, and is itself a fixed point. */
  MUST(!writer.full && writer.length <= size);
  MUST(msgpack_check(written, writer.length, &again) == NULL);
  MUST(again.count == map.count);
  static uint8_t twice[WRITTEN_MAX];
  struct writer second = {.bytes = twice, .capacity = sizeof twice};
  copy(&again, written, writer.length, &second);
  MUST(second.length == writer.length && memcmp(twice, written, second.length) == 0);
  map_get(&map, "op", &value);
  map_get(&map, "", &value);
}
