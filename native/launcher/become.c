#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "launcher.h"

void change_directory(const char *directory) {
  if (chdir(directory) != 0) fail("chdir", errno, directory);
}

void set_environment(const struct options *options) {
  if (options->env_clear && clearenv() != 0) fail("env", ENOMEM, NULL);
  for (size_t i = 0; i < options->env_count; i++) {
    if (putenv(options->env[i]) != 0) fail("env", errno, options->env[i]);
  }
}

void close_descriptors(unsigned kept) {
  // Closed by exec and not before: its end of file tells the manager that exec succeeded.
  if (fcntl(REPORT_FD, F_SETFD, FD_CLOEXEC) != 0) fail("descriptors", errno, NULL);
  // Called by number because musl has no wrapper. Needs Linux 5.9.
  if (syscall(SYS_close_range, REPORT_FD + 1 + kept, ~0U, 0U) != 0) fail("descriptors", errno, NULL);
}

// Ignored signals and the mask survive exec, and a manager may have either (Node ignores SIGPIPE).
// A file that reaches its limit is an error of one write (EFBIG): a guest that fills its console must not end its VMM.
void reset_signals(bool ignores_file_limit) {
  struct sigaction action = {.sa_handler = SIG_DFL};
  sigemptyset(&action.sa_mask);
  // Fails for SIGKILL, SIGSTOP and the C library's own: those cannot have been changed.
  for (int number = 1; number <= SIGRTMAX; number++) sigaction(number, &action, NULL);
  if (ignores_file_limit) {
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigemptyset(&ignore.sa_mask);
    sigaction(SIGXFSZ, &ignore, NULL);
  }
  sigprocmask(SIG_SETMASK, &action.sa_mask, NULL);
}

// No search in PATH: which program runs is the manager's decision.
void become(char **program) {
  execv(program[0], program);
  fail("exec", errno, program[0]);
}
