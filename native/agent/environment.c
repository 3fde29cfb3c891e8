#include "environment.h"

#include <stdlib.h>
#include <string.h>

static struct strings kept;

bool strings_init(struct strings *strings, size_t capacity, size_t size) {
  *strings = (struct strings){.capacity = capacity, .size = size};
  strings->list = calloc(capacity + 1, sizeof *strings->list);
  strings->bytes = malloc(size);
  if (strings->list != NULL && strings->bytes != NULL) return true;
  strings_free(strings);
  return false;
}

void strings_free(struct strings *strings) {
  free(strings->list);
  free(strings->bytes);
  *strings = (struct strings){0};
}

/* Room for a string of `length` and its NUL, or NULL. */
static char *reserve(struct strings *strings, size_t length) {
  if (strings->size - strings->used < length + 1) return NULL;
  char *string = strings->bytes + strings->used;
  strings->used += length + 1;
  string[length] = 0;
  return string;
}

bool strings_add(struct strings *strings, const uint8_t *bytes, size_t length) {
  if (strings->count == strings->capacity || memchr(bytes, 0, length) != NULL) return false;
  char *string = reserve(strings, length);
  if (string == NULL) return false;
  memcpy(string, bytes, length);
  strings->list[strings->count++] = string;
  return true;
}

static char **find(const struct strings *strings, const char *name, size_t length) {
  for (size_t i = 0; i < strings->count; i++) {
    if (strncmp(strings->list[i], name, length) == 0 && strings->list[i][length] == '=') return &strings->list[i];
  }
  return NULL;
}

bool strings_set(struct strings *strings, const uint8_t *name, size_t name_length, const uint8_t *value,
                 size_t value_length) {
  if (name_length == 0 || memchr(name, '=', name_length) != NULL || memchr(name, 0, name_length) != NULL ||
      memchr(value, 0, value_length) != NULL) {
    return false;
  }
  char **place = find(strings, (const char *)name, name_length);
  if (place == NULL) {
    if (strings->count == strings->capacity) return false;
    place = &strings->list[strings->count];
  }
  char *string = reserve(strings, name_length + 1 + value_length);
  if (string == NULL) return false;
  memcpy(string, name, name_length);
  string[name_length] = '=';
  memcpy(string + name_length + 1, value, value_length);
  if (place == &strings->list[strings->count]) strings->count++;
  *place = string;
  return true;
}

bool strings_set_all(struct strings *strings, const struct value *map) {
  const uint8_t *at = map->bytes;
  for (size_t i = 0; i < map->count; i++) {
    struct value name, value;
    value_next(map, &at, &name);
    value_next(map, &at, &value);
    if (value.kind != VALUE_STR) return false;
    if (!strings_set(strings, name.bytes, name.count, value.bytes, value.count)) return false;
  }
  return true;
}

const char *strings_get(const struct strings *strings, const char *name) {
  size_t length = strlen(name);
  char **place = find(strings, name, length);
  return place == NULL ? NULL : *place + length + 1;
}

/* What the variables of a map take at most. */
static size_t map_size(const struct value *map) { return (size_t)(map->end - map->bytes) + 2 * map->count; }

bool environment_keep(const struct value *map) {
  struct strings fresh;
  if (map->count > VARIABLES_MAX || !strings_init(&fresh, map->count, map_size(map))) return false;
  if (!strings_set_all(&fresh, map)) {
    strings_free(&fresh);
    return false;
  }
  strings_free(&kept);
  kept = fresh;
  return true;
}

bool environment_defaults(struct strings *strings) {
  static const char *const ours[][2] = {
      {"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
      {"HOME", "/root"},
      {"TERM", "linux"},
  };
  for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) {
    const char *name = ours[i][0], *value = ours[i][1];
    if (!strings_set(strings, (const uint8_t *)name, strlen(name), (const uint8_t *)value, strlen(value))) return false;
  }
  for (size_t i = 0; i < kept.count; i++) {
    const char *string = kept.list[i], *value = strchr(string, '=') + 1;
    if (!strings_set(strings, (const uint8_t *)string, (size_t)(value - 1 - string), (const uint8_t *)value,
                     strlen(value))) {
      return false;
    }
  }
  return true;
}
