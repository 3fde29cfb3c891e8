#include "task.h"

#include "agent.h"
#include "cgroup.h"
#include "request.h"
#include "spawn.h"
#include "user.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define OWNER(pointer, member) ((struct exec *)((char *)(pointer) - offsetof(struct exec, member)))

static void close_report(struct exec *exec) {
  if (exec->report.fd < 0) return;
  loop_remove(&exec->report);
  close(exec->report.fd);
  exec->report.fd = -1;
}

static void finish(struct exec *exec) {
  exec_end_operation(exec);
  close_report(exec);
  exec_streams_close(exec);
  exec->state = EXEC_FAILED;
}

static void take_message(struct exec *exec, const uint8_t *message, size_t length) {
  struct writer body = {.bytes = (uint8_t *)message + 1, .capacity = length - 1, .length = length - 1};
  if (exec->connection == NULL) return;
  if (exec->state == EXEC_STARTING && message[0] == TASK_ANSWER) {
    connection_response(exec->connection, &body);
    finish(exec);
  } else if (exec->state == EXEC_STARTING && message[0] == TASK_BEGIN) {
    connection_response(exec->connection, &body);
    exec->state = EXEC_RUNNING;
  } else if (exec->state == EXEC_RUNNING && message[0] == TASK_EVENT && !exec->exit_sent) {
    /* One only: events have no window. */
    connection_event(exec->connection, &body);
    exec->exit_sent = true;
    /* It reads no more. */
    exec_input_drop(exec);
  }
}

static void on_report(struct source *source, uint32_t events) {
  static uint8_t message[PAYLOAD_MAX];
  struct exec *exec = OWNER(source, report);
  struct connection *connection = exec->connection;
  (void)events;
  while (source->fd >= 0) {
    ssize_t got = recv(source->fd, message, sizeof message, MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) break;
    if (got <= 0) close_report(exec);
    else take_message(exec, message, (size_t)got);
  }
  task_settle(exec);
  if (connection != NULL) connection_wake(connection);
}

static void say_killed(const struct exec *exec) {
  uint8_t bytes[256];
  char message[128];
  bool by_signal = WIFSIGNALED(exec->status);
  struct writer writer = {.bytes = bytes, .capacity = sizeof bytes};
  snprintf(message, sizeof message, "Its process in the guest was ended by %s %d", by_signal ? "signal" : "exit code",
           by_signal ? WTERMSIG(exec->status) : WEXITSTATUS(exec->status));
  if (exec->state == EXEC_STARTING) {
    connection_fail(exec->connection, "FAILED", 0, message);
    return;
  }
  write_map(&writer, 3);
  write_key(&writer, "event");
  write_key(&writer, "failed");
  write_key(&writer, "code");
  write_key(&writer, "FAILED");
  write_key(&writer, "message");
  write_text(&writer, message);
  connection_event(exec->connection, &writer);
}

void task_settle(struct exec *exec) {
  if (!exec->exited || exec->report.fd >= 0 || exec->state == EXEC_FREE) return;
  struct connection *connection = exec->connection;
  if (connection != NULL) {
    if (exec->state == EXEC_STARTING) {
      say_killed(exec);
      /* The failure came with its END. */
      exec_set_host(exec, NULL);
      connection->operation = NULL;
      connection_wake(connection);
    } else if (exec->state == EXEC_RUNNING) {
      if (!exec->out.ended) return;
      if (!exec->exit_sent) say_killed(exec);
      exec_end_operation(exec);
    }
  }
  exec_release(exec);
}

void task_reaped(struct exec *exec) {
  /* What it said last may still be on the way. */
  if (exec->report.fd >= 0) on_report(&exec->report, EPOLLIN);
  else task_settle(exec);
}

void task_cancelled(struct exec *exec) {
  /* Before its stream ends: a file that is cut short must not pass for a whole one. It may tidy up. */
  if (!exec->exited) kill(exec->pid, SIGTERM);
  close_report(exec);
  exec_streams_close(exec);
  exec->state = EXEC_FAILED;
  task_settle(exec);
}

static _Noreturn void become(const struct task *task, const struct value *request, const char *user_name, int in,
                             int out, int report, pid_t agent_pid) {
  static struct user user;
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  setsid();
  umask(022);
  /* Above all that they are moved to. */
  int fds[3] = {in, out, report};
  for (int i = 0; i < 3; i++) fds[i] = fcntl(fds[i], F_DUPFD, 16);
  if (dup2(fds[0], 0) < 0 || dup2(fds[1], 1) < 0 || dup2(fds[2], TASK_REPORT_FD) < 0) _exit(126);
  syscall(SYS_close_range, TASK_REPORT_FD + 1, ~0U, 0);
  if (chdir("/") != 0) _exit(126);
  if (user_name[0] != 0) {
    if (!user_find(user_name, &user)) task_fail(ESRCH, "there is no user \"%s\"", user_name);
    if (user_become(&user) != 0) task_fail(errno, "cannot become \"%s\"", user_name);
  }
  /* Becoming a user undoes it. What nobody listens to must not wait for ever. */
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != agent_pid) _exit(126);
  task->run(request);
  _exit(0);
}

/* 0, or -1 with errno. */
static int start(struct exec *exec, const struct value *request, const struct task *task, const char *user) {
  int in[2] = {-1, -1}, out[2] = {-1, -1}, report[2] = {-1, -1};
  int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
  pid_t agent_pid = getpid();
  bool made = nothing >= 0 && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, report) == 0 &&
              (!task->reads || pipe2(in, O_CLOEXEC) == 0) && (!task->writes || pipe2(out, O_CLOEXEC) == 0);
  if (made && cgroup_available()) made = (exec->leaf_fd = cgroup_make_leaf(&exec->leaf_number)) >= 0;
  if (made) exec->pid = spawn_fork(exec->leaf_fd);
  if (made && exec->pid == 0) {
    become(task, request, user, task->reads ? in[0] : nothing, task->writes ? out[1] : nothing, report[1],
           agent_pid);
  }
  made = made && exec->pid > 0;
  int error = errno;
  const int theirs[] = {nothing, in[0], out[1], report[1]}, ours[] = {in[1], out[0], report[0]};
  for (size_t i = 0; i < 4; i++) {
    if (theirs[i] >= 0) close(theirs[i]);
  }
  for (size_t i = 0; i < 3; i++) {
    if (ours[i] < 0) continue;
    if (made) fcntl(ours[i], F_SETFL, O_NONBLOCK);
    else close(ours[i]);
  }
  if (!made) {
    cgroup_release_leaf(exec->leaf_fd, exec->leaf_number);
    errno = error;
    return -1;
  }
  exec->report = (struct source){.fd = report[0], .ready = on_report};
  if (exec_streams_open(exec, in[1], out[0], -1) == 0 && loop_add(&exec->report, EPOLLIN) == 0) return 0;
  /* Without being watched it would never be heard of: its end is all that is left to wait for. */
  kill(exec->pid, SIGKILL);
  return 0;
}

void task_request(struct connection *connection, const struct value *request, const struct task *task) {
  char user[64] = {0};
  if (request_text(request, "user", user, sizeof user) == KEY_WRONG) {
    fail(connection, "BAD_REQUEST", 0, "user is not a str without NUL of at most 63 bytes");
    return;
  }
  if (agent.prepared || agent.ending) {
    fail(connection, "BUSY", 0, "The machine is %s", agent.prepared ? "prepared for a snapshot" : "shutting down");
    return;
  }
  struct exec *exec = exec_allocate();
  if (exec == NULL) {
    fail(connection, "FAILED", EAGAIN, "%d operations and programs are running", EXECS_MAX);
    return;
  }
  exec->task = task;
  if (start(exec, request, task, user) != 0) {
    fail(connection, "FAILED", errno, "Cannot start a process for the operation");
    return;
  }
  exec->state = EXEC_STARTING;
  exec_set_host(exec, connection);
}
