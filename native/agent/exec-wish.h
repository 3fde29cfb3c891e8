#ifndef VIRGA_EXEC_WISH_H
#define VIRGA_EXEC_WISH_H

#include "environment.h"
#include "exec.h"
#include "resource-limits.h"

#include <limits.h>

/* What an exec request asks for, checked. */
struct wish {
  struct strings arguments, environment;
  /* The variables that the request itself names; end NULL when it names none. */
  struct value variables;
  char cwd[PATH_MAX], term[64], user[64], tag[EXEC_TAG_SIZE];
  bool wants_stdin, wants_terminal, detach, inherit, login;
  int64_t rows, columns, timeout_ms, ring_bytes;
  struct resource_limits limits;
};

/* NULL, or what is wrong with the request. The wish is to be freed in either case. */
const char *wish_read(const struct value *request, struct wish *wish);
void wish_free(struct wish *wish);

#endif
