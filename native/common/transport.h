#ifndef VIRGA_TRANSPORT_H
#define VIRGA_TRANSPORT_H

#include "connection.h"

/* The ways in: virtio-serial ports (QEMU), vsock (Cloud Hypervisor), an inherited socket (tests). */

/* Opens the ports named `virga.N` as they appear, until there are `expected` of them. */
void transport_ports(int expected, const struct service *service);

/* Accepts connections on vsock port 1024. Does nothing when the kernel has no vsock. */
void transport_vsock(const struct service *service);

/* Uses a connected socket; 0, or -1 with errno. */
int transport_socket(int fd, const struct service *service);

#endif
