#include "network.h"

#include "request.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "a.b.c.d/nn" */
static bool read_address(char *text, struct network *network) {
  char *slash = strchr(text, '/'), *end;
  if (slash == NULL || slash[1] < '0' || slash[1] > '9') return false;
  long bits = strtol(slash + 1, &end, 10);
  if (*end != 0 || bits > 32) return false;
  *slash = 0;
  network->netmask.s_addr = htonl(bits == 0 ? 0 : 0xffffffffu << (32 - bits));
  return inet_pton(AF_INET, text, &network->address) == 1;
}

static bool read_mac(const char *text, uint8_t *mac) {
  unsigned part[6];
  int used = 0;
  if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &part[0], &part[1], &part[2], &part[3], &part[4], &part[5], &used) != 6 ||
      used != 17 || text[used] != 0) {
    return false;
  }
  for (int i = 0; i < 6; i++) mac[i] = (uint8_t)part[i];
  return (mac[0] & 1) == 0;
}

static bool read_dns(const struct value *list, struct network *network) {
  const uint8_t *at = list->bytes;
  if (list->count > DNS_MAX) return false;
  for (size_t i = 0; i < list->count; i++) {
    struct value item;
    char text[INET_ADDRSTRLEN];
    value_next(list, &at, &item);
    if (item.kind != VALUE_STR || item.count >= sizeof text) return false;
    memcpy(text, item.bytes, item.count);
    text[item.count] = 0;
    if (inet_pton(AF_INET, text, &network->dns[i]) != 1) return false;
  }
  network->dns_count = list->count;
  return true;
}

const char *network_read(const struct value *map, struct network *network) {
  char text[64];
  struct value list;
  int64_t mtu = 0;
  *network = (struct network){0};
  if (request_text(map, "interface", network->interface, IFNAMSIZ) != KEY_OK || network->interface[0] == 0) {
    return "network.interface is no name of an interface";
  }
  if (request_text(map, "address", text, sizeof text) != KEY_OK || !read_address(text, network)) {
    return "network.address is not a.b.c.d/nn";
  }
  enum key found = request_text(map, "gateway", text, sizeof text);
  network->has_gateway = found == KEY_OK;
  if (found == KEY_WRONG || (found == KEY_OK && inet_pton(AF_INET, text, &network->gateway) != 1)) {
    return "network.gateway is not a.b.c.d";
  }
  found = request_value(map, "dns", VALUE_ARRAY, &list);
  network->has_dns = found == KEY_OK;
  if (found == KEY_WRONG || (found == KEY_OK && !read_dns(&list, network))) {
    return "network.dns is not a list of at most 8 addresses a.b.c.d";
  }
  found = request_text(map, "mac", text, sizeof text);
  network->has_mac = found == KEY_OK;
  if (found == KEY_WRONG || (found == KEY_OK && !read_mac(text, network->mac))) {
    return "network.mac is not a unicast address xx:xx:xx:xx:xx:xx";
  }
  if (request_int(map, "mtu", 68, 65535, &mtu) == KEY_WRONG) return "network.mtu is not an int from 68 to 65535";
  network->mtu = (int)mtu;
  return NULL;
}
