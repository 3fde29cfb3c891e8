#ifndef VIRGA_PORT_H
#define VIRGA_PORT_H

#include "msgpack.h"

/* TCP ports of the guest: tasks (task.h), in the child. */

/* Carries bytes to and from a port, those that only listen on loopback included, until the server closes. */
void port_tunnel(const struct value *request);
/* The ports that are listened on. */
void port_list(const struct value *request);

#endif
