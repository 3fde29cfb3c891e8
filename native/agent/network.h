#ifndef VIRGA_NETWORK_H
#define VIRGA_NETWORK_H

#include "msgpack.h"

#include <net/if.h>
#include <netinet/in.h>

enum { DNS_MAX = 8 };

/* How one interface is to be. */
struct network {
  char interface[IFNAMSIZ];
  struct in_addr address, netmask, gateway, dns[DNS_MAX];
  bool has_gateway, has_mac, has_dns;
  size_t dns_count;
  uint8_t mac[6];
  /* 0: as it is */
  int mtu;
};

/* Reads init's `network`; NULL, or what is wrong with it. */
const char *network_read(const struct value *map, struct network *network);

/* Makes it so, in place of what was; NULL, or the step that failed, with errno. */
const char *network_apply(const struct network *network);

#endif
