#include <arpa/inet.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guard.h"

// QEMU's own limit of a frame; on the wire each follows its length in 4 bytes.
enum { LENGTH = 4, FRAME_MAX = 4096 + 65536, ETHERNET_MAX = 65535 };

static uint8_t buffer[4 * (LENGTH + FRAME_MAX)];

// The libc's _exit makes a call that is not allowed any more.
static _Noreturn void leave(int code) {
  for (;;) syscall(SYS_exit, code);
}

static void on_child(int signal) {
  (void)signal;
  leave(0);
}

static void write_all(int fd, const uint8_t *bytes, size_t count) {
  while (count > 0) {
    ssize_t done = write(fd, bytes, count);
    if (done <= 0) leave(0);
    bytes += done;
    count -= (size_t)done;
  }
}

static size_t read_some(int fd, uint8_t *bytes, size_t room) {
  ssize_t got = read(fd, bytes, room);
  if (got <= 0) leave(0);
  return (size_t)got;
}

static _Noreturn void carry_in(int vmm, int passt) {
  for (;;) write_all(vmm, buffer, read_some(passt, buffer, sizeof buffer));
}

// Each frame is written whole, by itself: passt takes up a stream only where a frame begins.
static size_t pass_frames(size_t end, int passt, struct in_addr guest) {
  size_t at = 0;
  while (end - at >= LENGTH) {
    uint32_t length;
    memcpy(&length, buffer + at, LENGTH);
    length = ntohl(length);
    if (length > FRAME_MAX) leave(EXIT_NO_NETWORK);
    if (end - at < LENGTH + length) break;
    if (length <= ETHERNET_MAX && may_pass(buffer + at + LENGTH, length, guest)) {
      write_all(passt, buffer + at, LENGTH + length);
    }
    at += LENGTH + length;
  }
  memmove(buffer, buffer + at, end - at);
  return end - at;
}

static void confine(void) {
#ifndef __SANITIZE_ADDRESS__
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0) stop(EXIT_NO_NETWORK, "seccomp", "this kernel has none");
#endif
}

// A process for each way: passt may wait for room in one while it has none for the other.
void relay(int vmm, int passt, struct in_addr guest) {
  pid_t self = getpid();
  signal(SIGCHLD, on_child);
  pid_t child = fork();
  if (child < 0) stop(EXIT_NO_NETWORK, "fork", "no more processes");
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != self) _exit(0);
    confine();
    carry_in(vmm, passt);
  }
  confine();
  for (size_t end = 0;;) end = pass_frames(end + read_some(vmm, buffer + end, sizeof buffer - end), passt, guest);
}
