#include "init-wish.h"

#include "request.h"

#include <string.h>

const char *init_wish_read(const struct value *request, struct init_wish *wish) {
  struct value map;
  if (request_value(request, "entropy", VALUE_BIN, &wish->entropy) != KEY_OK || wish->entropy.count < ENTROPY_LEAST ||
      wish->entropy.count > ENTROPY_MOST) {
    return "entropy is not 32 to 256 bytes of bin";
  }
  enum key found = request_time(request, "timeNs", &wish->time);
  wish->has_time = found == KEY_OK;
  if (found == KEY_WRONG || wish->time.tv_sec < 0) return "timeNs is not [seconds, nanoseconds]";
  if (request_text(request, "hostname", wish->hostname, sizeof wish->hostname) == KEY_WRONG) {
    return "hostname is not a str of at most 64 bytes";
  }
  if (request_text(request, "machineId", wish->machine_id, sizeof wish->machine_id) == KEY_WRONG ||
      (wish->machine_id[0] != 0 && strspn(wish->machine_id, "0123456789abcdef") != 32)) {
    return "machineId is not 32 hex digits in lower case";
  }
  found = request_value(request, "env", VALUE_MAP, &wish->environment);
  wish->has_environment = found == KEY_OK;
  if (found == KEY_WRONG) return "env is not a map";
  found = request_value(request, "network", VALUE_MAP, &map);
  wish->has_network = found == KEY_OK;
  if (found == KEY_WRONG) return "network is not a map";
  return found == KEY_OK ? network_read(&map, &wish->network) : NULL;
}
