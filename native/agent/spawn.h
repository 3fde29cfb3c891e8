#ifndef VIRGA_SPAWN_H
#define VIRGA_SPAWN_H

#include "environment.h"
#include "resource-limits.h"

#include <sys/types.h>

/* Starting a program in a child process, with an exact report of what went wrong. */

struct spawn {
  struct strings *arguments;
  struct strings *environment;
  /* where to look for a program without a slash */
  const char *path;
  /* empty: `/`, or home for a login shell */
  const char *cwd;
  /* who it runs as, empty for the agent's own user */
  const char *user;
  /* the user's shell takes the place of the program, as a login shell, and `arguments` are its own */
  bool login;
  /* the map of variables that the user's must not replace; NULL: do not set the user's at all */
  const struct value *named;
  const struct resource_limits *limits;
  /* the child's 0, 1 and 2; for a terminal all the same */
  int in, out, err;
  /* `in` becomes the controlling terminal of the new session */
  int is_terminal;
  /* the cgroup to be born in, or -1 */
  int leaf_fd;
  /* the write end of a pipe, close-on-exec: a report, or nothing when the program runs */
  int report_fd;
};

enum spawn_step { SPAWN_CWD = 1, SPAWN_PROGRAM, SPAWN_DESCRIPTORS, SPAWN_USER, SPAWN_LIMITS };

struct spawn_report {
  int step;
  int error;
  /* The program is there, whatever `error` says: its interpreter may be missing. */
  int exists;
};

/* A child in a cgroup (-1: in the agent's own), as fork(). */
pid_t spawn_fork(int leaf_fd);
/* The child's pid, or -1 with errno. */
pid_t spawn(const struct spawn *spawn);

#endif
