import { rm } from "node:fs/promises";
import { endProcess, silentLogger } from "@virga/vm";
import type { Logger } from "@virga/vm";
import type { Home } from "../home.ts";
import { networkDirectory } from "./guest-network.ts";
import { readNetworkRecord } from "./network-record.ts";

/** Ends what carries VM `id`'s frames, whoever started it, and removes what it leaves. Does nothing where there is none. passt ends with its guard. */
export async function removeNetwork(
  home: Home,
  id: string,
  logger: Logger = silentLogger,
): Promise<void> {
  const process = await readNetworkRecord(home, id);
  if (process !== undefined) await endProcess(process, logger);
  await rm(networkDirectory(home, id), { recursive: true, force: true });
}
