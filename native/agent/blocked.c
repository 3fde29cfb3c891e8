#include "freeze.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { KERNEL_THREADS = 2 };

/* /proc/PID/stat: state and parent stand behind the name, which may itself contain anything. */
static bool is_blocked(const char *directory) {
  char path[300], text[512];
  snprintf(path, sizeof path, "/proc/%s/stat", directory);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t length = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
  if (fd >= 0) close(fd);
  text[length > 0 ? length : 0] = 0;
  const char *name_end = strrchr(text, ')');
  char state;
  int parent;
  return name_end != NULL && sscanf(name_end + 1, " %c %d", &state, &parent) == 2 && state == 'D' &&
         parent != KERNEL_THREADS;
}

uint32_t freeze_find_blocked(pid_t *pids, uint32_t most) {
  uint32_t count = 0;
  DIR *proc = opendir("/proc");
  struct dirent *entry;
  while (proc != NULL && count < most && (entry = readdir(proc)) != NULL) {
    int pid = atoi(entry->d_name);
    if (pid > KERNEL_THREADS && is_blocked(entry->d_name)) pids[count++] = pid;
  }
  if (proc != NULL) closedir(proc);
  return count;
}
