#ifndef VIRGA_SPAWN_H
#define VIRGA_SPAWN_H

#include <sys/types.h>

/* Starting a program in a child process, with an exact report of what went wrong. */

struct spawn {
  char **arguments;
  char **environment;
  /* where to look for a program without a slash */
  const char *path;
  const char *cwd;
  /* the child's 0, 1 and 2; for a terminal all the same */
  int in, out, err;
  /* `in` becomes the controlling terminal of the new session */
  int is_terminal;
  /* the cgroup to be born in, or -1 */
  int leaf_fd;
  /* the write end of a pipe, close-on-exec: a report, or nothing when the program runs */
  int report_fd;
};

enum spawn_step { SPAWN_CWD = 1, SPAWN_PROGRAM, SPAWN_DESCRIPTORS };

struct spawn_report {
  int step;
  int error;
  /* The program is there, whatever `error` says: its interpreter may be missing. */
  int exists;
};

/* The child's pid, or -1 with errno. */
pid_t spawn(const struct spawn *spawn);

#endif
