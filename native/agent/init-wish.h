#ifndef VIRGA_INIT_WISH_H
#define VIRGA_INIT_WISH_H

#include "network.h"

#include <limits.h>
#include <time.h>

enum { ENTROPY_LEAST = 32, ENTROPY_MOST = 256 };

/* What an init request asks for, checked; strings are empty when they are not to be set. */
struct init_wish {
  struct value entropy, environment;
  struct timespec time;
  bool has_time, has_environment, has_network;
  char hostname[HOST_NAME_MAX + 1], machine_id[33];
  struct network network;
};

/* Fills a wish that is all zeros; NULL, or what is wrong with the request. */
const char *init_wish_read(const struct value *request, struct init_wish *wish);

#endif
