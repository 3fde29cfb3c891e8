import { join } from "node:path";
import type { GuestNetwork } from "@virga/guest";
import type { NetworkConfig } from "@virga/vm";
import type { Home } from "../home.ts";

/** What a sandbox can reach: nothing, or through passt whatever this machine can, its own loopback excepted. */
export type NetworkChoice = "none" | "internet";

/** The same in every guest, so that a clone needs no other address than its template: passt makes connections of this machine's out of its packets. */
export const GUEST_ADDRESS = "10.200.0.2";
export const GATEWAY_ADDRESS = "10.200.0.1";
/** Where the guest asks for names; passt takes the questions to this machine's resolver. */
export const RESOLVER_ADDRESS = "10.200.0.3";
export const PREFIX_LENGTH = 24;

const MAC = "02:fc:00:00:00:02";
/** The longest packet passt takes up. With short ones most of the time goes into their number. */
const MTU = 65_520;

/** How the agent sets up the guest's side; undefined without a network. */
export function guestNetwork(choice: NetworkChoice): GuestNetwork | undefined {
  if (choice === "none") return undefined;
  return {
    interface: "eth0",
    address: `${GUEST_ADDRESS}/${PREFIX_LENGTH}`,
    gateway: GATEWAY_ADDRESS,
    dns: [RESOLVER_ADDRESS],
    mtu: MTU,
  };
}

/** Where everything of VM `id`'s network lies. */
export function networkDirectory(home: Home, id: string): string {
  return join(home.networks, id);
}

/** Socket that takes up the frames of VM `id`'s card. */
export function networkSocket(home: Home, id: string): string {
  return join(networkDirectory(home, id), "net");
}

/** The card of VM `id`, as a part of its configuration. */
export function networkCard(
  choice: NetworkChoice,
  home: Home,
  id: string,
): { readonly network?: NetworkConfig } {
  if (choice === "none") return {};
  return { network: { mac: MAC, socket: networkSocket(home, id) } };
}
