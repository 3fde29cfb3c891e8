#include "port.h"

#include "file.h"
#include "request.h"
#include "task.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PIECE = 65536, ADDRESS_MAX = 64 };

static uint8_t piece[PIECE];

/* A connected socket, or -1 with errno. */
static int connect_to(const char *host, uint16_t port) {
  struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};
  struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
  bool is_four = inet_pton(AF_INET, host, &four.sin_addr) == 1;
  if (!is_four && inet_pton(AF_INET6, host, &six.sin6_addr) != 1) task_refuse("host is not an address");
  int fd = socket(is_four ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  const struct sockaddr *address = is_four ? (const struct sockaddr *)&four : (const struct sockaddr *)&six;
  if (connect(fd, address, is_four ? sizeof four : sizeof six) == 0) return fd;
  int error = errno;
  close(fd);
  errno = error;
  return -1;
}

static bool write_whole(int fd, size_t length) {
  for (size_t done = 0; done < length;) {
    ssize_t put = write(fd, piece + done, length - done);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return false;
    done += (size_t)put;
  }
  return true;
}

/* From the host to the server, in a process of its own: neither direction waits for the other. */
static pid_t send_on(int fd) {
  pid_t pid = fork();
  if (pid != 0) return pid;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  /* The agent takes the closing of these as the end. */
  close(STDOUT_FILENO);
  close(TASK_REPORT_FD);
  for (;;) {
    ssize_t got = read(STDIN_FILENO, piece, sizeof piece);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0 || !write_whole(fd, (size_t)got)) break;
  }
  shutdown(fd, SHUT_WR);
  _exit(0);
}

void port_tunnel(const struct value *request) {
  char host[ADDRESS_MAX] = {0};
  int on = 1;
  int64_t port = file_number(request, "port", 1, 65535, 0);
  if (port == 0) task_refuse("port is not an int from 1 to 65535");
  if (request_text(request, "host", host, sizeof host) == KEY_WRONG) task_refuse("host is not an address");
  int fd = connect_to(host[0] != 0 ? host : "127.0.0.1", (uint16_t)port);
  /* Some servers listen on the other loopback only. */
  if (fd < 0 && host[0] == 0 && errno == ECONNREFUSED) {
    fd = connect_to("::1", (uint16_t)port);
    if (fd < 0) errno = ECONNREFUSED;
  }
  if (fd < 0) task_fail(errno, "Cannot connect to port %lld", (long long)port);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  pid_t sender = send_on(fd);
  if (sender < 0) task_fail(errno, "Cannot carry bytes to port %lld", (long long)port);
  struct writer writer = task_writer(0);
  task_begin(&writer);
  int error = 0;
  for (;;) {
    ssize_t got = read(fd, piece, sizeof piece);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) error = errno;
    if (got <= 0) break;
    task_send(piece, (size_t)got);
  }
  kill(sender, SIGKILL);
  waitpid(sender, NULL, 0);
  if (error != 0) task_fail(error, "The connection to port %lld broke", (long long)port);
  task_done();
}
