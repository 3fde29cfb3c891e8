#include "task.h"

#include "file.h"
#include "port.h"
#include "request.h"

#include <unistd.h>

static void sync_disks(const struct value *request) {
  (void)request;
  sync();
  struct writer writer = task_writer(0);
  task_answer(&writer);
}

static const struct task tasks[] = {
    {.op = "file.stat", .run = file_stat},
    {.op = "file.list", .writes = true, .run = file_list},
    {.op = "file.read", .writes = true, .run = file_read},
    {.op = "file.write", .reads = true, .run = file_write},
    {.op = "file.mkdir", .run = file_mkdir},
    {.op = "file.remove", .run = file_remove},
    {.op = "file.rename", .run = file_rename},
    {.op = "file.symlink", .run = file_symlink},
    {.op = "file.set", .run = file_set},
    {.op = "file.attributes", .run = file_attributes},
    {.op = "file.watch", .writes = true, .run = file_watch},
    {.op = "file.pack", .writes = true, .run = file_pack},
    {.op = "file.unpack", .reads = true, .run = file_unpack},
    {.op = "tunnel", .reads = true, .writes = true, .run = port_tunnel},
    {.op = "ports", .writes = true, .run = port_list},
    {.op = "sync", .run = sync_disks},
};

const struct task *task_find(const struct value *op) {
  for (size_t i = 0; i < sizeof tasks / sizeof tasks[0]; i++) {
    if (value_is(op, tasks[i].op)) return &tasks[i];
  }
  return NULL;
}
