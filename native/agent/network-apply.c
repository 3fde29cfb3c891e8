#include "network.h"

#include "system-file.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if_arp.h>
#include <net/route.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static struct ifreq request_for(const struct network *network) {
  struct ifreq request = {0};
  memcpy(request.ifr_name, network->interface, IFNAMSIZ);
  return request;
}

static void put_address(struct sockaddr *place, struct in_addr address) {
  struct sockaddr_in internet = {.sin_family = AF_INET, .sin_addr = address};
  memcpy(place, &internet, sizeof internet);
}

static int set_address(int fd, const struct network *network, unsigned long what, struct in_addr address) {
  struct ifreq request = request_for(network);
  put_address(&request.ifr_addr, address);
  return ioctl(fd, what, &request);
}

static int set_up(int fd, const struct network *network, bool up) {
  struct ifreq request = request_for(network);
  if (ioctl(fd, SIOCGIFFLAGS, &request) != 0) return -1;
  if (up) request.ifr_flags |= IFF_UP;
  else request.ifr_flags &= (short)~IFF_UP;
  return ioctl(fd, SIOCSIFFLAGS, &request);
}

static int set_mac(int fd, const struct network *network) {
  struct ifreq request = request_for(network);
  request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
  memcpy(request.ifr_hwaddr.sa_data, network->mac, sizeof network->mac);
  return ioctl(fd, SIOCSIFHWADDR, &request);
}

static int set_mtu(int fd, const struct network *network) {
  struct ifreq request = request_for(network);
  request.ifr_mtu = network->mtu;
  return ioctl(fd, SIOCSIFMTU, &request);
}

static int change_route(int fd, unsigned long what, struct in_addr to, uint32_t mask, struct in_addr gateway,
                        char *device, unsigned flags) {
  struct rtentry route = {.rt_flags = (unsigned short)(RTF_UP | flags), .rt_dev = device};
  put_address(&route.rt_dst, to);
  put_address(&route.rt_genmask, (struct in_addr){.s_addr = mask});
  put_address(&route.rt_gateway, gateway);
  return ioctl(fd, what, &route);
}

static int set_gateway(int fd, const struct network *network) {
  const struct in_addr none = {0};
  char device[IFNAMSIZ];
  memcpy(device, network->interface, sizeof device);
  if (((network->gateway.s_addr ^ network->address.s_addr) & network->netmask.s_addr) != 0 &&
      change_route(fd, SIOCADDRT, network->gateway, 0xffffffff, none, device, RTF_HOST) != 0 && errno != EEXIST) {
    return -1;
  }
  return change_route(fd, SIOCADDRT, none, 0, network->gateway, device, RTF_GATEWAY);
}

static const char *write_resolver(const struct network *network) {
  char text[DNS_MAX * 40] = "", address[INET_ADDRSTRLEN];
  size_t length = 0;
  for (size_t i = 0; i < network->dns_count; i++) {
    inet_ntop(AF_INET, &network->dns[i], address, sizeof address);
    length += (size_t)snprintf(text + length, sizeof text - length, "nameserver %s\n", address);
  }
  return system_file_write("/etc/resolv.conf", text) == 0 ? NULL : "write /etc/resolv.conf";
}

static const char *apply(int fd, const struct network *network) {
  /* Down first: a device may refuse another MAC while it is up, and old addresses and routes go with it. */
  if (set_up(fd, network, false) != 0) return "find the interface";
  if (network->has_mac && set_mac(fd, network) != 0) return "set the MAC address";
  if (network->mtu != 0 && set_mtu(fd, network) != 0) return "set the MTU";
  if (set_address(fd, network, SIOCSIFADDR, network->address) != 0) return "set the address";
  if (set_address(fd, network, SIOCSIFNETMASK, network->netmask) != 0) return "set the netmask";
  if (set_up(fd, network, true) != 0) return "bring up the interface";
  if (network->has_gateway && set_gateway(fd, network) != 0) return "set the default route";
  return network->has_dns ? write_resolver(network) : NULL;
}

const char *network_apply(const struct network *network) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return "open a socket";
  const char *failed = apply(fd, network);
  int error = errno;
  close(fd);
  errno = error;
  return failed;
}
