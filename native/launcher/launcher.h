// The launcher puts a VMM into its session, cgroup, namespaces and limits, and then becomes it, so that the spawned pid
// is the VMM's. README.md describes the command line and the protocol on descriptor 3.
#ifndef VIRGA_LAUNCHER_H
#define VIRGA_LAUNCHER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/types.h>

// The other end is the manager's: it sends the go byte, and receives the report of a failing step.
enum { REPORT_FD = 3 };

enum { EXIT_STEP_FAILED = 1, EXIT_USAGE = 2, EXIT_NO_GO = 3 };

enum { MAX_BINDS = 64, MAX_DESCRIPTORS = 16 };

struct bind {
  const char *source;
  const char *target;
  bool read_only;
};

struct limit {
  bool is_wanted;
  rlim_t value;
};

// Every pointer is into argv: nothing is copied.
struct options {
  // The parent whose end is the program's too; 0: the program outlives it.
  pid_t parent;
  const char *cgroup;
  const char *netns;
  const char *netdev;
  bool mountns;
  struct bind binds[MAX_BINDS];
  size_t bind_count;
  struct limit limits[RLIM_NLIMITS];
  // How many descriptors after REPORT_FD the program gets.
  unsigned descriptors;
  const char *directory;
  bool env_clear;
  char **env;
  size_t env_count;
  char **program;
};

// options.c
// Ends the process itself on --version and on a usage error. Reuses consumed slots of argv.
void parse_options(int argc, char **argv, struct options *options);

// limits.c
// Parses NAME=VALUE into `limits`; false when either is not valid.
bool parse_limit(const char *text, struct limit limits[RLIM_NLIMITS]);
void apply_limits(const struct limit limits[RLIM_NLIMITS]);

// session.c
// The standard ones, REPORT_FD and the `kept` after it.
void require_descriptors(unsigned kept);
void start_session(void);
// To be called before the go byte. Ends the process itself when `parent` is gone already.
void die_with_parent(pid_t parent);
void wait_for_go(void);

// namespaces.c
void join_cgroup(const char *directory);
void enter_network_namespace(const char *path_or_new);
void require_network_device(const char *name);
void enter_mount_namespace(void);
void bind_mount(const struct bind *bind);

// become.c
void change_directory(const char *directory);
void set_environment(const struct options *options);
// All above 3 but the first `kept` of them.
void close_descriptors(unsigned kept);
void reset_signals(bool ignores_file_limit);
_Noreturn void become(char **program);

// report.c
// Whether descriptor 3 is a socket or a pipe: reports go nowhere else.
bool can_report(void);
// Writes {"step","errno","code","path"} to the manager and exits. `path` may be NULL: then it is left out.
_Noreturn void fail(const char *step, int error, const char *path);
// Says on stderr what is wrong with the command line, reports the step "usage", and exits. `argument` may be NULL.
_Noreturn void fail_usage(const char *problem, const char *argument);

#endif
