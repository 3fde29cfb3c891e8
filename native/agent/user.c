#include "user.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DIGITS_MAX = 10 };

/* The largest number means "do not change" to setuid and its kin. */
static bool read_number(const char *text, uid_t *number) {
  size_t length = strlen(text);
  if (length == 0 || length > DIGITS_MAX || strspn(text, "0123456789") != length) return false;
  unsigned long value = strtoul(text, NULL, 10);
  *number = (uid_t)value;
  return value < 0xffffffff;
}

/* Only the file: the C library would also ask a name service, whose socket may be anybody's in the guest. */
static bool look_up(const char *name, bool is_number, uid_t uid, struct user *user) {
  FILE *file = fopen("/etc/passwd", "re");
  const struct passwd *entry = NULL;
  while (file != NULL && (entry = fgetpwent(file)) != NULL) {
    if (is_number ? entry->pw_uid == uid : strcmp(entry->pw_name, name) == 0) break;
  }
  if (entry != NULL) {
    user->uid = entry->pw_uid;
    user->gid = entry->pw_gid;
    snprintf(user->name, sizeof user->name, "%s", entry->pw_name);
    snprintf(user->home, sizeof user->home, "%s", entry->pw_dir[0] == '/' ? entry->pw_dir : "/");
    snprintf(user->shell, sizeof user->shell, "%s", entry->pw_shell[0] == '/' ? entry->pw_shell : "/bin/sh");
  }
  if (file != NULL) fclose(file);
  return entry != NULL;
}

static bool is_member(const struct group *group, const char *name) {
  for (char **member = group->gr_mem; *member != NULL; member++) {
    if (strcmp(*member, name) == 0) return true;
  }
  return false;
}

/* Its own group and those of /etc/group that list it; what is too many is left out. */
static void find_groups(struct user *user) {
  user->groups[user->group_count++] = user->gid;
  FILE *file = user->name[0] == 0 ? NULL : fopen("/etc/group", "re");
  const struct group *entry;
  while (file != NULL && user->group_count < USER_GROUPS_MAX && (entry = fgetgrent(file)) != NULL) {
    if (entry->gr_gid != user->gid && is_member(entry, user->name)) user->groups[user->group_count++] = entry->gr_gid;
  }
  if (file != NULL) fclose(file);
}

static bool find_user(const char *text, struct user *user) {
  uid_t uid = 0;
  bool found = text[0] != 0 && look_up(text, false, 0, user);
  if (!found && text[0] != 0 && !read_number(text, &uid)) return false;
  if (!found && !look_up(NULL, true, uid, user)) {
    user->uid = user->gid = uid;
    if (uid == 0) strcpy(user->home, "/root");
  }
  return true;
}

bool user_find_group(const char *text, gid_t *gid) {
  FILE *file = fopen("/etc/group", "re");
  const struct group *entry = NULL;
  while (file != NULL && (entry = fgetgrent(file)) != NULL && strcmp(entry->gr_name, text) != 0) continue;
  if (entry != NULL) *gid = entry->gr_gid;
  if (file != NULL) fclose(file);
  return entry != NULL || read_number(text, gid);
}

bool user_find(const char *text, struct user *user) {
  char name[USER_TEXT_MAX];
  const char *colon = strchr(text, ':');
  size_t length = colon == NULL ? strlen(text) : (size_t)(colon - text);
  *user = (struct user){.home = "/", .shell = "/bin/sh"};
  if (length >= sizeof name) return false;
  memcpy(name, text, length);
  name[length] = 0;
  if (!find_user(name, user)) return false;
  if (colon == NULL) {
    find_groups(user);
    return true;
  }
  /* A group that is named is the only one, as container run times have it. */
  if (!user_find_group(colon + 1, &user->gid)) return false;
  user->groups[user->group_count++] = user->gid;
  return true;
}

bool user_describe(const struct user *user, const struct value *named, struct strings *environment) {
  const char *const variables[][2] = {
      {"HOME", user->home}, {"USER", user->name}, {"LOGNAME", user->name}, {"SHELL", user->shell}};
  for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
    const char *name = variables[i][0], *value = variables[i][1];
    struct value unused;
    if (value[0] == 0 || (named->end != NULL && map_get(named, name, &unused))) continue;
    if (!strings_set(environment, (const uint8_t *)name, strlen(name), (const uint8_t *)value, strlen(value))) return false;
  }
  return true;
}

int user_become(const struct user *user) {
  /* What it is already needs no right to become it: so the agent can be tried as anybody. */
  if (geteuid() != 0 && user->uid == geteuid() && user->gid == getegid()) return 0;
  if (setgroups(user->group_count, user->groups) != 0 || setgid(user->gid) != 0) return -1;
  return setuid(user->uid);
}
