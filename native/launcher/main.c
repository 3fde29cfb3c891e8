#include <sys/stat.h>

#include "launcher.h"

// The order is a contract. Nothing happens to the host before the go byte, because until then no record names this
// process. The cgroup is joined while the host's /sys is still in view. Limits only go down and come after the mounts,
// which they must not hinder.
int main(int argc, char **argv) {
  static struct options options;
  parse_options(argc, argv, &options);

  require_descriptors(options.descriptors);
  start_session();
  if (options.parent != 0) die_with_parent(options.parent);
  wait_for_go();

  if (options.cgroup != NULL) join_cgroup(options.cgroup);
  if (options.netns != NULL) enter_network_namespace(options.netns);
  if (options.netdev != NULL) require_network_device(options.netdev);
  if (options.mountns) enter_mount_namespace();
  for (size_t i = 0; i < options.bind_count; i++) bind_mount(&options.binds[i]);

  // After the binds: a directory entered earlier could lie below one of them, out of its sight.
  if (options.directory != NULL) change_directory(options.directory);
  apply_limits(options.limits);
  // QEMU sets no mask of its own, and what a VMM creates (sockets, snapshots) is for its own user only.
  umask(077);

  close_descriptors(options.descriptors);
  set_environment(&options);
  reset_signals(options.limits[RLIMIT_FSIZE].is_wanted);
  become(options.program);
}
