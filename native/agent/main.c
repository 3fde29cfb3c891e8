#include "agent.h"
#include "boot.h"
#include "cgroup.h"
#include "exec.h"
#include "log.h"
#include "reaper.h"
#include "root.h"
#include "transport.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { FILES_USUAL = 1024, FILES_MOST = 524288 };

/* Programs must not get one of our descriptors as their 0, 1 or 2: without a console these are not open. */
static void fill_standard_descriptors(void) {
  int fd;
  do {
    fd = open("/dev/null", O_RDWR);
  } while (fd >= 0 && fd <= STDERR_FILENO);
  if (fd > STDERR_FILENO) close(fd);
}

static void start_machine(void) {
  const struct rlimit files = {.rlim_cur = FILES_USUAL, .rlim_max = FILES_MOST};
  boot_load_modules();
  /* Hosts may be waiting: their bytes are taken while the rest is made. */
  transport_vsock(&agent_service);
  transport_ports(boot_number("virga.ports="), &agent_service);
  boot_mount_rest();
  cgroup_setup();
  root_setup();
  boot_loopback();
  setrlimit(RLIMIT_NOFILE, &files);
}

/* As an ordinary process: until the last socket is closed, and all that was started for it has ended. */
static void on_gone(struct connection *connection) {
  (void)connection;
  if (connections != NULL) return;
  for (size_t i = 0; i < EXECS_MAX; i++) {
    if (execs[i].state != EXEC_FREE) exec_kill(&execs[i]);
  }
  loop_stop();
}

static int start_process(int count, char **arguments) {
  static struct service service;
  service = agent_service;
  service.gone = on_gone;
  for (int i = 1; i + 1 < count; i += 2) {
    if (strcmp(arguments[i], "--fd") != 0) return 2;
    if (transport_socket(atoi(arguments[i + 1]), &service) != 0) {
      log_line("cannot use descriptor %s: %s", arguments[i + 1], strerror(errno));
      return 1;
    }
  }
  return count >= 3 && count % 2 == 1 ? 0 : 2;
}

int main(int count, char **arguments) {
  agent.is_machine = getpid() == 1;
  signal(SIGPIPE, SIG_IGN);
  if (agent.is_machine) {
    boot_mount_kernel();
    fill_standard_descriptors();
  }
  log_open("virga-agent");
  if (loop_start() != 0 || reaper_start() != 0) {
    log_line("cannot start the loop: %s", strerror(errno));
    return 1;
  }
  if (agent.is_machine) {
    start_machine();
  } else {
    int failed = start_process(count, arguments);
    if (failed == 2) log_line("runs as PID 1 of a virtual machine, or with --fd N over connected sockets");
    if (failed != 0) return failed;
  }
  loop_run();
  return 0;
}
