#include "request.h"

#include <string.h>

enum key request_value(const struct value *map, const char *key, enum value_kind kind, struct value *value) {
  if (!map_get(map, key, value)) return KEY_ABSENT;
  return value->kind == kind ? KEY_OK : KEY_WRONG;
}

enum key request_int(const struct value *map, const char *key, int64_t least, int64_t most, int64_t *number) {
  struct value value;
  enum key found = request_value(map, key, VALUE_INT, &value);
  if (found != KEY_OK) return found;
  if (value.number < least || value.number > most) return KEY_WRONG;
  *number = value.number;
  return KEY_OK;
}

enum key request_bool(const struct value *map, const char *key, bool *truth) {
  struct value value;
  enum key found = request_value(map, key, VALUE_BOOL, &value);
  if (found == KEY_OK) *truth = value.number != 0;
  return found;
}

enum key request_time(const struct value *map, const char *key, struct timespec *time) {
  struct value pair, part[2];
  enum key found = request_value(map, key, VALUE_ARRAY, &pair);
  if (found != KEY_OK) return found;
  if (pair.count != 2) return KEY_WRONG;
  const uint8_t *at = pair.bytes;
  for (int i = 0; i < 2; i++) {
    value_next(&pair, &at, &part[i]);
    if (part[i].kind != VALUE_INT) return KEY_WRONG;
  }
  if (part[1].number < 0 || part[1].number > 999999999) return KEY_WRONG;
  *time = (struct timespec){.tv_sec = part[0].number, .tv_nsec = part[1].number};
  return KEY_OK;
}

static enum key copy_bytes(const struct value *value, char *text, size_t capacity) {
  if (value->count >= capacity || memchr(value->bytes, 0, value->count) != NULL) return KEY_WRONG;
  memcpy(text, value->bytes, value->count);
  text[value->count] = 0;
  return KEY_OK;
}

enum key request_text(const struct value *map, const char *key, char *text, size_t capacity) {
  struct value value;
  enum key found = request_value(map, key, VALUE_STR, &value);
  return found == KEY_OK ? copy_bytes(&value, text, capacity) : found;
}

enum key request_path(const struct value *map, const char *key, char *path, size_t capacity) {
  struct value value;
  if (!map_get(map, key, &value)) return KEY_ABSENT;
  if (value.kind != VALUE_STR && value.kind != VALUE_BIN) return KEY_WRONG;
  return copy_bytes(&value, path, capacity);
}

bool value_is(const struct value *value, const char *text) {
  return value->kind == VALUE_STR && value->count == strlen(text) && memcmp(value->bytes, text, value->count) == 0;
}
