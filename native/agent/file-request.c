#include "file.h"

#include "request.h"
#include "task.h"
#include "user.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

void file_path(const struct value *request, const char *key, char path[PATH_MAX]) {
  path[0] = 0;
  if (request_path(request, key, path, PATH_MAX) != KEY_OK || path[0] == 0) {
    task_refuse("%s is not a str or bin without NUL of 1 to 4095 bytes", key);
  }
}

void file_new_directory(const struct value *request, char path[PATH_MAX]) {
  file_path(request, "path", path);
  for (size_t length = strlen(path); length > 1 && path[length - 1] == '/'; length--) path[length - 1] = 0;
}

bool file_flag(const struct value *request, const char *key, bool otherwise) {
  bool truth = otherwise;
  if (request_bool(request, key, &truth) == KEY_WRONG) task_refuse("%s is not a bool", key);
  return truth;
}

int64_t file_number(const struct value *request, const char *key, int64_t least, int64_t most, int64_t otherwise) {
  int64_t number = otherwise;
  if (request_int(request, key, least, most, &number) == KEY_WRONG) {
    task_refuse("%s is not an int from %lld to %lld", key, (long long)least, (long long)most);
  }
  return number;
}

bool file_time(const struct value *request, struct timespec times[2]) {
  times[0] = (struct timespec){.tv_nsec = UTIME_OMIT};
  enum key found = request_time(request, "mtimeNs", &times[1]);
  if (found == KEY_WRONG) task_refuse("mtimeNs is not [seconds, nanoseconds]");
  return found == KEY_OK;
}

struct owner file_owner(const struct value *request) {
  static struct user user;
  struct owner owner = {.uid = (uid_t)-1, .gid = (gid_t)-1};
  char text[128] = {0};
  enum key found = request_text(request, "owner", text, sizeof text);
  if (found == KEY_ABSENT) return owner;
  char *group = strchr(text, ':');
  if (group != NULL) *group++ = 0;
  if (found == KEY_WRONG || (text[0] == 0 && (group == NULL || group[0] == 0))) {
    task_refuse("owner is not a str such as \"user\" or \"user:group\"");
  }
  if (text[0] != 0) {
    if (!user_find(text, &user)) task_fail(ESRCH, "there is no user \"%s\"", text);
    owner = (struct owner){.uid = user.uid, .gid = user.gid};
  }
  if (group != NULL && group[0] != 0 && !user_find_group(group, &owner.gid)) {
    task_fail(ESRCH, "there is no group \"%s\"", group);
  }
  return owner;
}

int file_make_parents(const char *path, struct owner owner) {
  char part[PATH_MAX];
  for (const char *at = path; (at = strchr(at, '/')) != NULL; at++) {
    size_t length = (size_t)(at - path);
    if (length == 0) continue;
    memcpy(part, path, length);
    part[length] = 0;
    if (mkdir(part, 0755) == 0) {
      if (owner_is_given(owner) && lchown(part, owner.uid, owner.gid) != 0) return -1;
    } else if (errno != EEXIST && errno != EISDIR) {
      /* One that is there may also answer EACCES or EROFS. */
      int error = errno;
      struct stat status;
      if (stat(part, &status) == 0 && S_ISDIR(status.st_mode)) continue;
      errno = error;
      return -1;
    }
  }
  return 0;
}
