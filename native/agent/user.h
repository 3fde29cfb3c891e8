#ifndef VIRGA_USER_H
#define VIRGA_USER_H

#include "environment.h"

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

/*
 * Who a program runs as. All of this is done in its own child process: looking a user up may block, or take memory, as
 * the guest's own files would have it, and that must not be the agent's.
 */

enum { USER_GROUPS_MAX = 1024, USER_TEXT_MAX = 1024 };

struct user {
  uid_t uid;
  gid_t gid;
  gid_t groups[USER_GROUPS_MAX];
  size_t group_count;
  /* Of /etc/passwd: its name for the groups; empty when it is not in there. */
  char name[64];
  char home[PATH_MAX], shell[PATH_MAX];
};

/* Finds a name, or else a number; an empty one is root. A number that nobody has gets itself as group.
   With `:GROUP` behind it, by name or number, that is its group, and its only one. False: no such user or group. */
bool user_find(const char *text, struct user *user);

/* Of /etc/group by its name, or a number that need not be in there. False: no such group. */
bool user_find_group(const char *text, gid_t *gid);

/* Sets HOME, USER, LOGNAME and SHELL but for those that `named`, a map or one with end NULL, has. False: no room. */
bool user_describe(const struct user *user, const struct value *named, struct strings *environment);

/* Takes on groups and ids; 0, or -1 with errno. */
int user_become(const struct user *user);

#endif
