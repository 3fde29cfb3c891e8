// The guard stands between a VM's network card and passt, and lets through only what a guest may send. README.md
// describes the command line and what passes.
#ifndef VIRGA_PASST_GUARD_H
#define VIRGA_PASST_GUARD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { EXIT_NO_NETWORK = 1, EXIT_USAGE = 2 };

// Every pointer is into argv.
struct options {
  const char *socket;
  struct in_addr guest;
  char **program;
};

// options.c
// Ends the process itself on a usage error.
void parse_options(int argc, char **argv, struct options *options);

// start.c
// Runs passt under a name that begins with `socket`, and waits until it serves; gives our end of its socket. Ends the
// process itself, with passt's words, when it does not.
int start_passt(const struct options *options);

// listen.c
// The one connection that is ever made to `path`, which appears when it can be.
int accept_vmm(const char *path);

// frame.c
// Whether a frame of `length` bytes from the guest may go out.
bool may_pass(const uint8_t *frame, size_t length, struct in_addr guest);

// relay.c
// Carries frames both ways until either side ends; from its first line on this process can only read, write and exit.
_Noreturn void relay(int vmm, int passt, struct in_addr guest);

// stop.c
// One line on stderr, then the end.
_Noreturn void stop(int code, const char *what, const char *detail);

#endif
