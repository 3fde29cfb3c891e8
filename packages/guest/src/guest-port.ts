import { isIP } from "node:net";
import { Answer } from "./answer.ts";
import { GuestError } from "./errors.ts";
import type { MessageFields, MessageMap } from "./message.ts";

/** A TCP port that something in the guest listens on. */
export interface GuestPort {
  readonly port: number;
  /** The address it is bound to; `0.0.0.0` and `::` are all. */
  readonly address: string;
  /** Whose it is. */
  readonly uid: number;
}

/** Checks one record of `ports`. */
export function parsePort(map: MessageMap): GuestPort {
  const answer = new Answer("ports", map);
  const port = {
    port: answer.integer("port", 1, 65_535),
    address: answer.text("address"),
    uid: answer.integer("uid", 0, 0xffff_ffff),
  };
  if (isIP(port.address) === 0) {
    throw new GuestError("GUEST_PROTOCOL", "The guest agent told of a port without an address");
  }
  return port;
}

/**
 * The fields of a `tunnel` request.
 * @throws GuestError `GUEST_BAD_REQUEST` for what is no port or no address.
 */
export function tunnelFields(port: number, host: string | undefined): MessageFields {
  const details = { op: "tunnel", outcome: "not-started" } as const;
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new GuestError(
      "GUEST_BAD_REQUEST",
      `Cannot connect to a port of the guest: ${port} is none, it must be 1 to 65535`,
      { details },
    );
  }
  if (host !== undefined && isIP(host) === 0) {
    throw new GuestError(
      "GUEST_BAD_REQUEST",
      `Cannot connect to a port of the guest: ${JSON.stringify(host)} is not an IP address`,
      { details },
    );
  }
  return { port, host };
}
