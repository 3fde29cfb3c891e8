#include <errno.h>
#include <string.h>

#include "launcher.h"

static const struct {
  const char *name;
  int resource;
} RESOURCES[] = {
    {"as", RLIMIT_AS},
    {"core", RLIMIT_CORE},
    {"cpu", RLIMIT_CPU},
    {"data", RLIMIT_DATA},
    {"fsize", RLIMIT_FSIZE},
    {"memlock", RLIMIT_MEMLOCK},
    {"msgqueue", RLIMIT_MSGQUEUE},
    {"nofile", RLIMIT_NOFILE},
    {"nproc", RLIMIT_NPROC},
    {"sigpending", RLIMIT_SIGPENDING},
    {"stack", RLIMIT_STACK},
};

enum { RESOURCE_COUNT = sizeof RESOURCES / sizeof RESOURCES[0] };

// strtoull() would take signs, blanks and a locale.
static bool parse_number(const char *text, rlim_t *number) {
  rlim_t value = 0;
  if (*text == '\0') return false;
  for (; *text != '\0'; text++) {
    if (*text < '0' || *text > '9') return false;
    rlim_t digit = (rlim_t)(*text - '0');
    if (value > (RLIM_INFINITY - digit) / 10) return false;
    value = value * 10 + digit;
  }
  *number = value;
  return true;
}

bool parse_limit(const char *text, struct limit limits[RLIM_NLIMITS]) {
  const char *equals = strchr(text, '=');
  if (equals == NULL) return false;
  size_t length = (size_t)(equals - text);
  for (size_t i = 0; i < RESOURCE_COUNT; i++) {
    const char *name = RESOURCES[i].name;
    if (strlen(name) != length || memcmp(name, text, length) != 0) continue;
    struct limit *limit = &limits[RESOURCES[i].resource];
    limit->is_wanted = true;
    return parse_number(equals + 1, &limit->value);
  }
  return false;
}

void apply_limits(const struct limit limits[RLIM_NLIMITS]) {
  for (size_t i = 0; i < RESOURCE_COUNT; i++) {
    int resource = RESOURCES[i].resource;
    const struct limit *limit = &limits[resource];
    if (!limit->is_wanted) continue;

    struct rlimit current;
    if (getrlimit(resource, &current) != 0) fail("rlimit", errno, RESOURCES[i].name);
    // Raising a hard limit needs CAP_SYS_RESOURCE, which a container may lack: the hard limit caps what is wanted.
    rlim_t value = limit->value < current.rlim_max ? limit->value : current.rlim_max;
    const struct rlimit lowered = {.rlim_cur = value, .rlim_max = value};
    if (setrlimit(resource, &lowered) != 0) fail("rlimit", errno, RESOURCES[i].name);
  }
}
