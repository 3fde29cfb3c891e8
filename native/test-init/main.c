#include "boot.h"
#include "log.h"
#include "operations.h"
#include "transport.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* As an ordinary process: until the socket is closed. */
static void on_gone(struct connection *connection) {
  (void)connection;
  loop_stop();
}

int main(int count, char **arguments) {
  signal(SIGPIPE, SIG_IGN);
  if (loop_start() != 0) return 1;
  counter_start();
  if (getpid() == 1) {
    boot_mount_kernel();
    log_open("virga-test-init");
    boot_load_modules();
    transport_vsock(&test_service);
    transport_ports(boot_number("virga.ports="), &test_service);
    boot_loopback();
  } else if (count == 3 && strcmp(arguments[1], "--fd") == 0) {
    static struct service service;
    service = test_service;
    service.gone = on_gone;
    if (transport_socket(atoi(arguments[2]), &service) != 0) {
      log_line("cannot use descriptor %s: %s", arguments[2], strerror(errno));
      return 1;
    }
  } else {
    log_line("runs as PID 1 of a virtual machine, or with --fd N over a connected socket");
    return 2;
  }
  loop_run();
  return 0;
}
