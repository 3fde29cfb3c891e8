#ifndef VIRGA_ENVIRONMENT_H
#define VIRGA_ENVIRONMENT_H

#include "msgpack.h"

/* A list of strings with a NULL behind it, as exec wants it, within the limits of a request. */

enum {
  /* arguments and environment together */
  STRINGS_BYTES_MAX = 131072,
  ARGUMENTS_MAX = 1024,
  VARIABLES_MAX = 1024,
};

struct strings {
  char **list;
  size_t count, capacity;
  char *bytes;
  size_t used, size;
};

/* False when there is no memory. */
bool strings_init(struct strings *strings, size_t capacity, size_t size);
void strings_free(struct strings *strings);
/* False when it does not fit, or has a NUL in it. */
bool strings_add(struct strings *strings, const uint8_t *bytes, size_t length);
/* Sets a variable, in place of an earlier one of that name. False when it does not fit or is no variable. */
bool strings_set(struct strings *strings, const uint8_t *name, size_t name_length, const uint8_t *value,
                 size_t value_length);
/* Sets all variables of a map {str: str}. */
bool strings_set_all(struct strings *strings, const struct value *map);
/* The value of a variable, or NULL. */
const char *strings_get(const struct strings *strings, const char *name);

/* Keeps the variables of init as defaults for later execs; false when they do not fit or are ill-typed. */
bool environment_keep(const struct value *map);
/* Adds PATH, HOME and TERM of the agent, then what was kept. */
bool environment_defaults(struct strings *strings);

#endif
