#include "transport.h"

#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/vm_sockets.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { VSOCK_PORT = 1024, CONNECTIONS_MAX = 128 };

static const struct service *vsock_service;
static struct source listener;

static int connection_count(void) {
  int count = 0;
  for (const struct connection *connection = connections; connection != NULL; connection = connection->next) count++;
  return count;
}

static void accept_all(struct source *source, uint32_t events) {
  (void)events;
  for (;;) {
    int fd = accept4(source->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      return;
    }
    if (connection_count() >= CONNECTIONS_MAX) close(fd);
    else connection_open(fd, CONNECTION_SOCKET, vsock_service);
  }
}

void transport_vsock(const struct service *service) {
  int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  struct sockaddr_vm address = {.svm_family = AF_VSOCK, .svm_port = VSOCK_PORT, .svm_cid = VMADDR_CID_ANY};
  vsock_service = service;
  listener = (struct source){.fd = fd, .ready = accept_all};
  if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, CONNECTIONS_MAX) != 0 ||
      loop_add(&listener, EPOLLIN) != 0) {
    log_line("cannot listen on vsock port %d: %s", VSOCK_PORT, strerror(errno));
    close(fd);
  }
}

int transport_socket(int fd, const struct service *service) {
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) return -1;
  return connection_open(fd, CONNECTION_SOCKET, service) == NULL ? -1 : 0;
}
