#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guard.h"

enum { WORDS = 2048 };

static _Noreturn void become_passt(const struct options *options, pid_t guard, int socket, int words) {
  // One that never comes to serve does not look at its socket, and so would not hear of our end.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != guard) _exit(127);
  size_t count = 0;
  while (options->program[count] != NULL) count++;
  char **argv = calloc(count + 3, sizeof *argv), number[16];
  int null = open("/dev/null", O_RDWR);
  if (argv == NULL || null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(words, 2) < 0 ||
      fcntl(socket, F_SETFD, 0) != 0) {
    _exit(127);
  }
  memcpy(argv, options->program, count * sizeof *argv);
  snprintf(number, sizeof number, "%d", socket);
  argv[count] = "--fd";
  argv[count + 1] = number;
  // The name tells whose it is. passt looks for its own in the last part of it.
  if (asprintf(&argv[0], "%s.passt", options->socket) < 0) _exit(127);
  execv(options->program[0], argv);
  dprintf(2, "%s: %s\n", options->program[0], strerror(errno));
  _exit(127);
}

// What it says until it closes its standard error, which it does when it goes into the background.
static void read_words(int fd, char *text) {
  size_t length = 0;
  char part[512];
  for (;;) {
    ssize_t got = read(fd, part, sizeof part);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    size_t taken = (size_t)got < WORDS - 1 - length ? (size_t)got : WORDS - 1 - length;
    memcpy(text + length, part, taken);
    length += taken;
  }
  text[length] = 0;
}

int start_passt(const struct options *options) {
  int pair[2], words[2], status = 0;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0 || pipe2(words, O_CLOEXEC) != 0) {
    stop(EXIT_NO_NETWORK, "cannot start passt", strerror(errno));
  }
  pid_t self = getpid(), child = fork();
  if (child < 0) stop(EXIT_NO_NETWORK, "cannot start passt", strerror(errno));
  if (child == 0) become_passt(options, self, pair[1], words[1]);
  close(pair[1]);
  close(words[1]);
  char text[WORDS];
  read_words(words[0], text);
  close(words[0]);
  pid_t ended;
  do ended = waitpid(child, &status, 0);
  while (ended < 0 && errno == EINTR);
  // The process that was started ends well when the one in the background serves.
  if (ended != child || !WIFEXITED(status) || WEXITSTATUS(status) != 0) stop(EXIT_NO_NETWORK, "passt", text);
  return pair[0];
}
