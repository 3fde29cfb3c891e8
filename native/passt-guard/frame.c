#include <arpa/inet.h>
#include <net/ethernet.h>
#include <string.h>

#include "guard.h"

enum { ETHERNET = 14, ARP = 28, IPV4 = 20, SOURCE = ETHERNET + 12, TARGET = ETHERNET + 16 };

// passt opens sockets of the host to whatever address a packet names, and some of those never leave the host or name
// nobody's machine: "this host" (connect takes it for the loopback) and the loopback itself, link-local addresses, where
// clouds tell secrets of their machines, and everything from multicast on.
static bool is_closed(const uint8_t *address) {
  return address[0] == 0 || address[0] == 127 || address[0] >= 224 || (address[0] == 169 && address[1] == 254);
}

bool may_pass(const uint8_t *frame, size_t length, struct in_addr guest) {
  if (length < ETHERNET) return false;
  unsigned type = (unsigned)frame[12] << 8 | frame[13];
  if (type == ETHERTYPE_ARP) return length >= ETHERNET + ARP;
  if (type != ETHERTYPE_IP || length < ETHERNET + IPV4 || frame[ETHERNET] >> 4 != 4) return false;
  return memcmp(frame + SOURCE, &guest, sizeof guest) == 0 && !is_closed(frame + TARGET);
}
