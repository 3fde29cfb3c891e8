import {
  GATEWAY_ADDRESS,
  GUEST_ADDRESS,
  PREFIX_LENGTH,
  RESOLVER_ADDRESS,
} from "./guest-network.ts";

/**
 * The guard, and passt behind it. By itself passt offers this machine's loopback at the gateway's address (hence `--no-map-gw`), and to a guest that makes
 * its packets by hand also at 127.0.0.1: such packets the guard drops. Nothing is forwarded inwards; the guest is told its address by the agent.
 */
export function passtCommand(options: {
  readonly guard: string;
  readonly passt: string;
  readonly socket: string;
}): [string, ...string[]] {
  const { guard, passt, socket } = options;
  return [
    guard,
    "--socket",
    socket,
    "--guest",
    GUEST_ADDRESS,
    "--",
    passt,
    "--ipv4-only",
    "--no-map-gw",
    "--address",
    GUEST_ADDRESS,
    "--netmask",
    String(PREFIX_LENGTH),
    "--gateway",
    GATEWAY_ADDRESS,
    "--dns-forward",
    RESOLVER_ADDRESS,
    "--no-dhcp",
    "--no-dhcpv6",
    "--no-ndp",
    "--no-ra",
  ];
}
