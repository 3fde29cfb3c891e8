#include "init-wish.h"

#include "request.h"

#include <string.h>

static const char *read_time(const struct value *request, struct init_wish *wish) {
  struct value pair, part[2];
  enum key found = request_value(request, "timeNs", VALUE_ARRAY, &pair);
  wish->has_time = found == KEY_OK;
  if (found == KEY_ABSENT) return NULL;
  static const char wrong[] = "timeNs is not [seconds, nanoseconds]";
  if (found == KEY_WRONG || pair.count != 2) return wrong;
  const uint8_t *at = pair.bytes;
  for (int i = 0; i < 2; i++) {
    value_next(&pair, &at, &part[i]);
    if (part[i].kind != VALUE_INT || part[i].number < 0) return wrong;
  }
  if (part[1].number > 999999999) return wrong;
  wish->time = (struct timespec){.tv_sec = part[0].number, .tv_nsec = part[1].number};
  return NULL;
}

const char *init_wish_read(const struct value *request, struct init_wish *wish) {
  struct value map;
  if (request_value(request, "entropy", VALUE_BIN, &wish->entropy) != KEY_OK || wish->entropy.count < ENTROPY_LEAST ||
      wish->entropy.count > ENTROPY_MOST) {
    return "entropy is not 32 to 256 bytes of bin";
  }
  const char *wrong = read_time(request, wish);
  if (wrong != NULL) return wrong;
  if (request_text(request, "hostname", wish->hostname, sizeof wish->hostname) == KEY_WRONG) {
    return "hostname is not a str of at most 64 bytes";
  }
  if (request_text(request, "machineId", wish->machine_id, sizeof wish->machine_id) == KEY_WRONG ||
      (wish->machine_id[0] != 0 && strspn(wish->machine_id, "0123456789abcdef") != 32)) {
    return "machineId is not 32 hex digits in lower case";
  }
  enum key found = request_value(request, "env", VALUE_MAP, &wish->environment);
  wish->has_environment = found == KEY_OK;
  if (found == KEY_WRONG) return "env is not a map";
  found = request_value(request, "network", VALUE_MAP, &map);
  wish->has_network = found == KEY_OK;
  if (found == KEY_WRONG) return "network is not a map";
  return found == KEY_OK ? network_read(&map, &wish->network) : NULL;
}
