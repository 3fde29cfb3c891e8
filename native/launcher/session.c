#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "launcher.h"

void require_descriptors(unsigned kept) {
  if (!can_report()) fail_usage("descriptor 3 is neither a socket nor a pipe", NULL);
  // A VMM started with one of these closed would get a disk or a socket there, and write its messages into it.
  for (int fd = STDIN_FILENO; fd <= REPORT_FD + (int)kept; fd++) {
    if (fcntl(fd, F_GETFD) < 0) fail("descriptors", errno, NULL);
  }
}

// Out of the manager's session, so that a terminal's hang-up or Ctrl-C there does not reach the VMM.
void start_session(void) {
  if (setsid() < 0) fail("session", errno, NULL);
}

// Kept over exec, unless the program is set-uid or has file capabilities; a change of user ids would clear it.
void die_with_parent(pid_t parent) {
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) fail("parent", errno, NULL);
  // One that died before that call sends no signal any more, and may have left a go byte behind.
  if (getppid() != parent) _exit(EXIT_NO_GO);
}

void wait_for_go(void) {
  for (;;) {
    char byte;
    ssize_t count = read(REPORT_FD, &byte, 1);
    if (count == 1) {
      if (byte != 'g') fail("go", EPROTO, NULL);
      return;
    }
    // The manager is gone before it wrote a record: nobody would ever find this VMM, so there must be none.
    if (count == 0) _exit(EXIT_NO_GO);
    if (errno == EAGAIN) {
      // Blocking is a property of the shared socket, which is the manager's to choose.
      struct pollfd readable = {.fd = REPORT_FD, .events = POLLIN};
      if (poll(&readable, 1, -1) < 0 && errno != EINTR) fail("go", errno, NULL);
    } else if (errno != EINTR) {
      fail("go", errno, NULL);
    }
  }
}
