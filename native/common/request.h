#ifndef VIRGA_REQUEST_H
#define VIRGA_REQUEST_H

#include "msgpack.h"

#include <time.h>

/* Keys of a request. Each answers what it found; an ill-typed or out-of-range value is KEY_WRONG. */
enum key { KEY_ABSENT, KEY_OK, KEY_WRONG };

enum key request_int(const struct value *map, const char *key, int64_t least, int64_t most, int64_t *number);
enum key request_bool(const struct value *map, const char *key, bool *truth);
/* [seconds, nanoseconds]; the seconds may be negative. */
enum key request_time(const struct value *map, const char *key, struct timespec *time);
/* A str without NUL, copied with a NUL behind it; too long is wrong. */
enum key request_text(const struct value *map, const char *key, char *text, size_t capacity);
/* The same, but the bytes of a bin will do too: names of files need not be text. */
enum key request_path(const struct value *map, const char *key, char *path, size_t capacity);
/* A value of the given kind. */
enum key request_value(const struct value *map, const char *key, enum value_kind kind, struct value *value);
/* Whether a str value is `text`. */
bool value_is(const struct value *value, const char *text);

#endif
