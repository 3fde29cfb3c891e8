#include "msgpack.h"
#include "utf8.h"

#include <string.h>

enum { NESTING_MAX = 8 };

static const int64_t INT_LIMIT = 9007199254740991;

static uint64_t big_endian(const uint8_t *bytes, size_t size) {
  uint64_t number = 0;
  for (size_t i = 0; i < size; i++) number = number << 8 | bytes[i];
  return number;
}

/* Takes the head of a value, and for str and bin the bytes too; *at moves behind it. NULL or what is wrong. */
static const char *take(const uint8_t **at, const uint8_t *end, struct value *value) {
  const uint8_t *p = *at;
  if (p == end) return "truncated";
  uint8_t code = *p++;
  *value = (struct value){.kind = VALUE_NIL, .end = end};
  /* bytes of length or number behind the code */
  size_t size = 0;
  bool is_signed = false;
  if (code < 0x80 || code >= 0xe0) {
    value->kind = VALUE_INT;
    value->number = (int8_t)code;
  } else if (code < 0x90) {
    value->kind = VALUE_MAP;
    value->count = code & 0x0f;
  } else if (code < 0xa0) {
    value->kind = VALUE_ARRAY;
    value->count = code & 0x0f;
  } else if (code < 0xc0) {
    value->kind = VALUE_STR;
    value->count = code & 0x1f;
  } else if (code == 0xc0) {
    value->kind = VALUE_NIL;
  } else if (code == 0xc2 || code == 0xc3) {
    value->kind = VALUE_BOOL;
    value->number = code & 1;
  } else if (code >= 0xc4 && code <= 0xc6) {
    value->kind = VALUE_BIN;
    size = (size_t)1 << (code - 0xc4);
  } else if (code >= 0xcc && code <= 0xd3) {
    value->kind = VALUE_INT;
    is_signed = code >= 0xd0;
    size = (size_t)1 << (code & 3);
  } else if (code >= 0xd9 && code <= 0xdb) {
    value->kind = VALUE_STR;
    size = (size_t)1 << (code - 0xd9);
  } else if (code == 0xdc || code == 0xdd) {
    value->kind = VALUE_ARRAY;
    size = code == 0xdc ? 2 : 4;
  } else if (code == 0xde || code == 0xdf) {
    value->kind = VALUE_MAP;
    size = code == 0xde ? 2 : 4;
  } else {
    return "type";
  }
  if ((size_t)(end - p) < size) return "truncated";
  if (size > 0) {
    uint64_t raw = big_endian(p, size);
    p += size;
    if (value->kind == VALUE_INT) {
      if (is_signed) {
        uint64_t sign = (uint64_t)1 << (size * 8 - 1);
        raw = (raw ^ sign) - sign;
      } else if (raw > (uint64_t)INT_LIMIT) {
        return "range";
      }
      value->number = (int64_t)raw;
      if (value->number > INT_LIMIT || value->number < -INT_LIMIT) return "range";
    } else {
      value->count = (size_t)raw;
    }
  }
  value->bytes = p;
  if (value->kind == VALUE_STR || value->kind == VALUE_BIN) {
    if ((size_t)(end - p) < value->count) return "truncated";
    p += value->count;
  }
  *at = p;
  return NULL;
}

static bool is_utf8(const uint8_t *bytes, size_t length) {
  for (size_t i = 0; i < length;) {
    size_t size = utf8_sequence(bytes + i, length - i);
    if (size == 0) return false;
    i += size;
  }
  return true;
}

const char *msgpack_check(const uint8_t *bytes, size_t length, struct value *map) {
  const uint8_t *at = bytes, *end = bytes + length;
  /* items still to come at each level: for a map keys and values */
  struct {
    uint64_t left;
    bool is_map;
  } level[NESTING_MAX];
  size_t depth = 0;
  for (;;) {
    struct value value;
    bool is_key = depth > 0 && level[depth - 1].is_map && level[depth - 1].left % 2 == 0;
    const char *wrong = take(&at, end, &value);
    if (wrong != NULL) return wrong;
    if (depth == 0) {
      if (value.kind != VALUE_MAP) return "not a map";
      *map = value;
    }
    if (is_key && value.kind != VALUE_STR) return "key";
    if (value.kind == VALUE_STR && !is_utf8(value.bytes, value.count)) return "utf-8";
    if (depth > 0) level[depth - 1].left--;
    if (value.kind == VALUE_ARRAY || value.kind == VALUE_MAP) {
      if (depth == NESTING_MAX) return "nesting";
      bool is_map = value.kind == VALUE_MAP;
      level[depth].left = (uint64_t)value.count * (is_map ? 2 : 1);
      level[depth].is_map = is_map;
      depth++;
    }
    while (depth > 0 && level[depth - 1].left == 0) depth--;
    if (depth == 0) return at == end ? NULL : "trailing bytes";
  }
}

/* Moves behind the value at *at, with all that it contains. The message has been checked: nothing is missing. */
static void skip(const uint8_t **at, const uint8_t *end) {
  for (uint64_t left = 1; left > 0; left--) {
    struct value value;
    if (take(at, end, &value) != NULL) {
      *at = end;
      return;
    }
    if (value.kind == VALUE_ARRAY) left += value.count;
    if (value.kind == VALUE_MAP) left += (uint64_t)value.count * 2;
  }
}

void value_next(const struct value *container, const uint8_t **at, struct value *item) {
  const uint8_t *start = *at;
  skip(at, container->end);
  if (take(&start, container->end, item) != NULL) *item = (struct value){.kind = VALUE_NIL, .end = container->end};
}

bool map_get(const struct value *map, const char *key, struct value *value) {
  size_t length = strlen(key);
  const uint8_t *at = map->bytes;
  for (size_t i = 0; i < map->count; i++) {
    struct value name;
    value_next(map, &at, &name);
    value_next(map, &at, value);
    if (name.count == length && memcmp(name.bytes, key, length) == 0) return value->kind != VALUE_NIL;
  }
  return false;
}
