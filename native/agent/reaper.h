#ifndef VIRGA_REAPER_H
#define VIRGA_REAPER_H

#include <sys/types.h>

/* Starts to reap children: those of the agent, and as PID 1 every orphan. 0, or -1 with errno. */
int reaper_start(void);

/* Calls `ended` when `pid`, a helper of the agent itself, has ended. One at a time. */
void reaper_expect(pid_t pid, void (*ended)(int status));

#endif
