#include "resource-limits.h"

#include "request.h"

static const struct {
  const char *name;
  int resource;
} known[] = {
    {"as", RLIMIT_AS},           {"core", RLIMIT_CORE},         {"cpu", RLIMIT_CPU},
    {"data", RLIMIT_DATA},       {"fsize", RLIMIT_FSIZE},       {"locks", RLIMIT_LOCKS},
    {"memlock", RLIMIT_MEMLOCK}, {"msgqueue", RLIMIT_MSGQUEUE}, {"nice", RLIMIT_NICE},
    {"nofile", RLIMIT_NOFILE},   {"nproc", RLIMIT_NPROC},       {"rss", RLIMIT_RSS},
    {"rtprio", RLIMIT_RTPRIO},   {"rttime", RLIMIT_RTTIME},     {"sigpending", RLIMIT_SIGPENDING},
    {"stack", RLIMIT_STACK},
};

static bool read_number(const struct value *value, rlim_t *number) {
  if (value->kind != VALUE_INT || value->number < -1) return false;
  *number = value->number == -1 ? RLIM_INFINITY : (rlim_t)value->number;
  return true;
}

static bool read_limit(const struct value *value, struct rlimit *limit) {
  struct value soft = *value, hard = *value;
  if (value->kind == VALUE_ARRAY) {
    const uint8_t *at = value->bytes;
    if (value->count != 2) return false;
    value_next(value, &at, &soft);
    value_next(value, &at, &hard);
  }
  return read_number(&soft, &limit->rlim_cur) && read_number(&hard, &limit->rlim_max) &&
         limit->rlim_cur <= limit->rlim_max;
}

const char *resource_limits_read(const struct value *map, struct resource_limits *limits) {
  const uint8_t *at = map->bytes;
  if (map->count > RESOURCE_LIMITS_MAX) return "limits has more than 16 items";
  for (size_t i = 0; i < map->count; i++) {
    struct value name, value;
    size_t place = 0;
    value_next(map, &at, &name);
    value_next(map, &at, &value);
    while (place < sizeof known / sizeof known[0] && !value_is(&name, known[place].name)) place++;
    if (place == sizeof known / sizeof known[0]) return "limits names a limit that does not exist";
    limits->list[i].resource = known[place].resource;
    if (!read_limit(&value, &limits->list[i].limit)) {
      return "limits must have ints or [soft, hard], -1 for no limit, soft at most hard";
    }
  }
  limits->count = map->count;
  return NULL;
}

int resource_limits_apply(const struct resource_limits *limits) {
  for (size_t i = 0; i < limits->count; i++) {
    if (setrlimit((__typeof__(RLIMIT_AS))limits->list[i].resource, &limits->list[i].limit) != 0) return -1;
  }
  return 0;
}
