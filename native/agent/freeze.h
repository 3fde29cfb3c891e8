#ifndef VIRGA_FREEZE_H
#define VIRGA_FREEZE_H

#include "connection.h"

#include <sys/types.h>

/* Lets user processes and their clocks go on. Does nothing when they do. */
void freeze_thaw(void);

/* A connection is gone: if it was waiting for its prepare, that is undone. */
void freeze_cancelled(const struct connection *connection);

/* User processes in uninterruptible sleep, which no freezer can stop; how many were found, at most `most`. */
uint32_t freeze_find_blocked(pid_t *pids, uint32_t most);

#endif
