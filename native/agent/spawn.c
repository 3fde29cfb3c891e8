#include "spawn.h"

#include "user.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* In the child. */
static _Noreturn void report(const struct spawn *spawn, int step, int error, int exists) {
  struct spawn_report report = {.step = step, .error = error, .exists = exists};
  if (write(spawn->report_fd, &report, sizeof report) < 0) _exit(126);
  _exit(127);
}

static int exists(const char *path) { return access(path, F_OK) == 0; }

/* Tries each directory of PATH as execvp does, but without its shell for files of unknown format. */
static _Noreturn void run_from_path(const struct spawn *spawn) {
  char **arguments = spawn->arguments->list, **environment = spawn->environment->list;
  const char *name = arguments[0];
  int error = ENOENT, found = 0;
  char file[PATH_MAX];
  for (const char *at = spawn->path; name[0] != 0; at++) {
    int length = (int)strcspn(at, ":");
    const char *directory = length == 0 ? "." : at;
    int used = snprintf(file, sizeof file, "%.*s/%s", length == 0 ? 1 : length, directory, name);
    if (used < (int)sizeof file) {
      execve(file, arguments, environment);
      if (errno != ENOENT && errno != ENOTDIR) {
        error = errno;
        found = exists(file);
        /* One that may not be run does not hide a later one that may. */
        if (errno != EACCES) break;
      } else if (exists(file)) {
        error = errno;
        found = 1;
        break;
      }
    }
    at += length;
    if (*at == 0) break;
  }
  report(spawn, SPAWN_PROGRAM, error, found);
}

/* What a pipe or terminal leads to may be opened again by its name in /dev, with the rights of its owner. */
static void give_streams(uid_t uid) {
  struct stat status;
  for (int fd = 0; fd <= 2; fd++) {
    if (fstat(fd, &status) != 0 || !(S_ISFIFO(status.st_mode) || isatty(fd))) continue;
    /* Without the right to, the agent is not root, and then they are the user's already. */
    if (fchown(fd, uid, (gid_t)-1) != 0) continue;
  }
}

static void become_user(const struct spawn *spawn, struct user *user) {
  bool changes = spawn->user[0] != 0;
  if ((changes || spawn->login) && !user_find(spawn->user, user)) report(spawn, SPAWN_USER, ENOENT, 0);
  if (resource_limits_apply(spawn->limits) != 0) report(spawn, SPAWN_LIMITS, errno, 0);
  if (changes) {
    give_streams(user->uid);
    if (user_become(user) != 0) report(spawn, SPAWN_USER, errno, 0);
  }
  if ((changes || spawn->login) && spawn->named != NULL && !user_describe(user, spawn->named, spawn->environment)) {
    report(spawn, SPAWN_USER, E2BIG, 0);
  }
}

static void enter_directory(const struct spawn *spawn, const struct user *user) {
  if (spawn->cwd[0] != 0) {
    if (chdir(spawn->cwd) != 0) report(spawn, SPAWN_CWD, errno, 0);
    return;
  }
  /* A home that is missing must not keep anybody out. */
  if (spawn->login && chdir(user->home) == 0) return;
  if (chdir("/") != 0) report(spawn, SPAWN_CWD, errno, 0);
}

static _Noreturn void run_login_shell(const struct spawn *spawn, const struct user *user) {
  const char *base = strrchr(user->shell, '/') + 1;
  char name[PATH_MAX];
  char **arguments = calloc(spawn->arguments->count + 2, sizeof *arguments);
  if (arguments == NULL) report(spawn, SPAWN_PROGRAM, ENOMEM, 1);
  snprintf(name, sizeof name, "-%s", base);
  arguments[0] = name;
  memcpy(arguments + 1, spawn->arguments->list, spawn->arguments->count * sizeof *arguments);
  execve(user->shell, arguments, spawn->environment->list);
  int error = errno;
  report(spawn, SPAWN_PROGRAM, error, exists(user->shell));
}

static _Noreturn void become(const struct spawn *spawn) {
  static struct user user;
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  signal(SIGPIPE, SIG_DFL);
  umask(022);
  if (setsid() < 0) report(spawn, SPAWN_DESCRIPTORS, errno, 0);
  if (dup2(spawn->in, 0) < 0 || dup2(spawn->out, 1) < 0 || dup2(spawn->err, 2) < 0) {
    report(spawn, SPAWN_DESCRIPTORS, errno, 0);
  }
  if (spawn->is_terminal && ioctl(0, TIOCSCTTY, 0) != 0) report(spawn, SPAWN_DESCRIPTORS, errno, 0);
  /* exec closes them too, but until then what others wait for to be closed would stay open. */
  syscall(SYS_close_range, 3, spawn->report_fd - 1, 0);
  syscall(SYS_close_range, spawn->report_fd + 1, ~0U, 0);
  become_user(spawn, &user);
  enter_directory(spawn, &user);
  if (spawn->login) run_login_shell(spawn, &user);
  char **arguments = spawn->arguments->list;
  if (strchr(arguments[0], '/') == NULL) run_from_path(spawn);
  execve(arguments[0], arguments, spawn->environment->list);
  int error = errno;
  report(spawn, SPAWN_PROGRAM, error, exists(arguments[0]));
}

pid_t spawn_fork(int leaf_fd) {
  if (leaf_fd < 0) return fork();
  struct clone_args arguments = {
      .flags = CLONE_INTO_CGROUP,
      .exit_signal = SIGCHLD,
      .cgroup = (uint64_t)leaf_fd,
  };
  return (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
}

pid_t spawn(const struct spawn *spawn) {
  pid_t pid = spawn_fork(spawn->leaf_fd);
  if (pid == 0) become(spawn);
  return pid;
}
