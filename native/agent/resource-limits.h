#ifndef VIRGA_RESOURCE_LIMITS_H
#define VIRGA_RESOURCE_LIMITS_H

#include "msgpack.h"

#include <sys/resource.h>

/* setrlimit's limits, as a request names them. */

enum { RESOURCE_LIMITS_MAX = 16 };

struct resource_limits {
  size_t count;
  struct {
    int resource;
    struct rlimit limit;
  } list[RESOURCE_LIMITS_MAX];
};

/* Reads {name: int | [soft, hard]}, -1 for no limit; NULL, or what is wrong. */
const char *resource_limits_read(const struct value *map, struct resource_limits *limits);
/* Sets them for this process; 0, or -1 with errno. */
int resource_limits_apply(const struct resource_limits *limits);

#endif
