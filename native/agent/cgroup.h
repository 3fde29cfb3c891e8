#ifndef VIRGA_CGROUP_H
#define VIRGA_CGROUP_H

#include <stdbool.h>

/*
 * All user processes live below one cgroup, each exec in a leaf of its own. They see that cgroup as the root of
 * /sys/fs/cgroup, so that whatever they make there is frozen with them.
 */

/* Once, as PID 1. When it fails there are no leaves, and nothing can be frozen. */
void cgroup_setup(void);
/* Whether there is a cgroup for user processes. */
bool cgroup_available(void);

/* A new leaf: its number in *number and a descriptor of its directory, or -1 with errno. */
int cgroup_make_leaf(unsigned *number);
/* Kills all in it at once. */
void cgroup_kill_leaf(int leaf_fd);
/* Closes the descriptor and removes the leaf as soon as it is empty, maybe later. */
void cgroup_release_leaf(int leaf_fd, unsigned number);

/* Freezes or thaws all user processes; 0, or -1 with errno. Frozen is reached later: see cgroup_is(). */
int cgroup_freeze(bool freeze);
/* Whether the user cgroup's `cgroup.events` says `key` 1: "frozen", "populated". */
bool cgroup_is(const char *key);
/* A descriptor that reports EPOLLPRI when those events change, or -1. The caller closes it. */
int cgroup_open_events(void);

#endif
