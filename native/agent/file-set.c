#include "file.h"

#include "request.h"
#include "task.h"
#include "utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { NAME_MOST = 256, VALUE_MOST = 16384, NAMES_MOST = 65536, ANSWER_MOST = 30000 };

static const char prefix[] = "user.";

/* Sets or (nil) removes each. */
static void set_attributes(const char *path, const struct value *map) {
  const uint8_t *at = map->bytes;
  for (size_t i = 0; i < map->count; i++) {
    struct value key, value;
    char name[NAME_MOST];
    value_next(map, &at, &key);
    value_next(map, &at, &value);
    bool fits = key.count > 0 && key.count < NAME_MOST - sizeof prefix && memchr(key.bytes, 0, key.count) == NULL;
    bool typed = value.kind == VALUE_BIN || value.kind == VALUE_STR || value.kind == VALUE_NIL;
    if (!fits || !typed || value.count > VALUE_MOST) {
      task_refuse("attributes must have names of at most 249 bytes without user. and bin, str or nil of at most 16384");
    }
    snprintf(name, sizeof name, "%s%.*s", prefix, (int)key.count, (const char *)key.bytes);
    int result = value.kind == VALUE_NIL ? removexattr(path, name) : setxattr(path, name, value.bytes, value.count, 0);
    if (result != 0 && !(value.kind == VALUE_NIL && errno == ENODATA)) {
      task_fail(errno, "Cannot set the attribute %s of \"%s\"", name, path);
    }
  }
}

void file_set(const struct value *request) {
  char path[PATH_MAX];
  struct timespec times[2];
  struct value map;
  file_path(request, "path", path);
  int64_t mode = file_number(request, "mode", 0, 07777, -1);
  struct owner owner = file_owner(request);
  bool timed = file_time(request, times);
  enum key attributed = request_value(request, "attributes", VALUE_MAP, &map);
  if (attributed == KEY_WRONG) task_refuse("attributes is not a map");
  if (owner_is_given(owner) && chown(path, owner.uid, owner.gid) != 0) task_fail(errno, "Cannot give \"%s\" away", path);
  if (mode >= 0 && chmod(path, (mode_t)mode) != 0) task_fail(errno, "Cannot set the mode of \"%s\"", path);
  if (attributed == KEY_OK) set_attributes(path, &map);
  if (timed && utimensat(AT_FDCWD, path, times, 0) != 0) task_fail(errno, "Cannot set the time of \"%s\"", path);
  struct stat status;
  if (stat(path, &status) != 0) task_fail(errno, "Cannot look at \"%s\"", path);
  struct writer writer = task_writer(file_status_keys(&status, NULL));
  file_write_status(&writer, &status, NULL);
  task_answer(&writer);
}

/* One that goes away meanwhile is none, nor is one whose name is not text. */
static bool write_attribute(struct writer *writer, const char *path, const char *name) {
  static uint8_t value[NAMES_MOST];
  const uint8_t *bare = (const uint8_t *)name + sizeof prefix - 1;
  size_t bare_length = strlen((const char *)bare), at = 0, step;
  while (at < bare_length && (step = utf8_sequence(bare + at, bare_length - at)) > 0) at += step;
  /* A key of a map is text. */
  if (at < bare_length) return false;
  ssize_t length = getxattr(path, name, value, sizeof value);
  if (length < 0) return false;
  write_str(writer, (const char *)bare, bare_length);
  write_bin(writer, value, (size_t)length);
  if (writer->full) task_fail(E2BIG, "The attributes of \"%s\" do not fit into one answer", path);
  return true;
}

void file_attributes(const struct value *request) {
  static char names[NAMES_MOST];
  static uint8_t bytes[ANSWER_MOST];
  char path[PATH_MAX];
  struct writer items = {.bytes = bytes, .capacity = sizeof bytes};
  uint32_t count = 0;
  file_path(request, "path", path);
  ssize_t length = listxattr(path, names, sizeof names);
  if (length < 0) task_fail(errno, "Cannot read the attributes of \"%s\"", path);
  for (const char *name = names; name < names + length; name += strlen(name) + 1) {
    if (strncmp(name, prefix, sizeof prefix - 1) == 0) count += write_attribute(&items, path, name);
  }
  struct writer writer = task_writer(1);
  write_key(&writer, "attributes");
  write_map(&writer, count);
  if (items.length > writer.capacity - writer.length) task_fail(E2BIG, "The attributes of \"%s\" do not fit", path);
  memcpy(writer.bytes + writer.length, items.bytes, items.length);
  writer.length += items.length;
  task_answer(&writer);
}
