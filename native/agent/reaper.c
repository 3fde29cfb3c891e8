#include "reaper.h"

#include "exec.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

static struct source signals;
static pid_t helper;
static void (*helper_ended)(int status);

static void reap(struct source *source, uint32_t events) {
  struct signalfd_siginfo information[8];
  (void)events;
  while (read(source->fd, information, sizeof information) > 0) continue;
  int status;
  pid_t pid;
  while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
    if (exec_reaped(pid, status) || pid != helper) continue;
    helper = 0;
    helper_ended(status);
  }
}

int reaper_start(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  if (sigprocmask(SIG_BLOCK, &set, NULL) != 0) return -1;
  signals = (struct source){.fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC), .ready = reap};
  if (signals.fd < 0) return -1;
  return loop_add(&signals, EPOLLIN);
}

void reaper_expect(pid_t pid, void (*ended)(int status)) {
  helper = pid;
  helper_ended = ended;
}
