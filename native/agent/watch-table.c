#include "watch-table.h"

#include "task.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COMPACT_LEAST = 64 };

struct watch {
  int descriptor;
  /* NULL when it is forgotten. */
  char *path;
};

/* In the order of descriptors. */
static struct watch *watches;
static size_t count, capacity, forgotten;

static struct watch *find(int descriptor) {
  size_t low = 0, high = count;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (watches[middle].descriptor < descriptor) low = middle + 1;
    else high = middle;
  }
  return low < count && watches[low].descriptor == descriptor ? &watches[low] : NULL;
}

static void compact(void) {
  size_t kept = 0;
  for (size_t i = 0; i < count; i++) {
    if (watches[i].path != NULL) watches[kept++] = watches[i];
  }
  count = kept;
  forgotten = 0;
}

static char *copy_of(const char *path) {
  char *copy = strdup(path);
  if (copy == NULL) task_fail(ENOMEM, "Cannot watch so many directories");
  return copy;
}

void watch_put(int descriptor, const char *path) {
  struct watch *known = find(descriptor);
  if (known != NULL) {
    if (known->path == NULL) forgotten--;
    free(known->path);
    known->path = copy_of(path);
    return;
  }
  if (forgotten > COMPACT_LEAST && forgotten > count / 2) compact();
  if (count == capacity) {
    capacity = capacity == 0 ? COMPACT_LEAST : 2 * capacity;
    struct watch *larger = realloc(watches, capacity * sizeof *watches);
    if (larger == NULL) task_fail(ENOMEM, "Cannot watch so many directories");
    watches = larger;
  }
  watches[count++] = (struct watch){.descriptor = descriptor, .path = copy_of(path)};
}

const char *watch_path(int descriptor) {
  const struct watch *watch = find(descriptor);
  return watch == NULL ? NULL : watch->path;
}

static void forget(struct watch *watch) {
  if (watch->path == NULL) return;
  free(watch->path);
  watch->path = NULL;
  forgotten++;
}

void watch_forget(int descriptor) {
  struct watch *watch = find(descriptor);
  if (watch != NULL) forget(watch);
}

static bool is_below(const char *path, const char *top) {
  size_t length = strlen(top);
  return length == 0 || (strncmp(path, top, length) == 0 && (path[length] == 0 || path[length] == '/'));
}

void watch_move(const char *from, const char *to) {
  size_t from_length = strlen(from), to_length = strlen(to);
  for (size_t i = 0; i < count; i++) {
    char *path = watches[i].path;
    if (path == NULL || !is_below(path, from)) continue;
    size_t rest = strlen(path + from_length);
    char *moved = malloc(to_length + rest + 1);
    if (moved == NULL) task_fail(ENOMEM, "Cannot watch so many directories");
    memcpy(moved, to, to_length);
    memcpy(moved + to_length, path + from_length, rest + 1);
    free(path);
    watches[i].path = moved;
  }
}

void watch_forget_tree(const char *path, void (*each)(int descriptor)) {
  for (size_t i = 0; i < count; i++) {
    if (watches[i].path == NULL || !is_below(watches[i].path, path)) continue;
    each(watches[i].descriptor);
    forget(&watches[i]);
  }
}
