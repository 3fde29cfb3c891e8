#include <signal.h>
#include <sys/prctl.h>

#include "guard.h"

int main(int argc, char **argv) {
  struct options options = {0};
  parse_options(argc, argv, &options);
  // passt puts itself into the background; it stays a child of ours, whose end we hear of.
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  signal(SIGPIPE, SIG_IGN);
  int passt = start_passt(&options);
  int vmm = accept_vmm(options.socket);
  relay(vmm, passt, options.guest);
}
