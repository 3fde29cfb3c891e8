#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "guard.h"

int accept_vmm(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "%s.new", path);
  int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  // Renamed when it listens: whoever sees the name can connect.
  if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 1) != 0 ||
      rename(address.sun_path, path) != 0) {
    stop(EXIT_NO_NETWORK, path, strerror(errno));
  }
  int vmm;
  do vmm = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
  while (vmm < 0 && errno == EINTR);
  if (vmm < 0) stop(EXIT_NO_NETWORK, path, strerror(errno));
  close(listener);
  return vmm;
}
