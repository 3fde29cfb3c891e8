import { once } from "node:events";
import { createReadStream } from "node:fs";
import { rm } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { VirgaError, errorText } from "../../errors.ts";
import type { SnapshotSource, VmContext } from "../port.ts";
import { DEVICES_FILE } from "./files.ts";
import type { QmpSession } from "./qmp-session.ts";

const POLL_MS = 2;

/**
 * Gives a QEMU that was launched with `-incoming defer` the device state of a snapshot. Afterwards it is paused at the snapshot's moment.
 *
 * QEMU listens on a socket of its directory and we write into it: that needs no inherited descriptor and works under its sandbox.
 */
export async function restoreState(
  context: VmContext,
  source: SnapshotSource,
  qmp: QmpSession,
): Promise<void> {
  const { inside, host } = context.layout;
  const socketPath = host.incoming;
  const stop = new AbortController();
  let sent: Promise<VirgaError | undefined> | undefined;
  try {
    await qmp.execute("migrate-incoming", { uri: `unix:${inside.incoming}` });
    sent = sendFile(join(source.directory, DEVICES_FILE), socketPath, stop.signal);
    await waitForRestore(qmp, sent);
  } finally {
    stop.abort();
    await sent;
    await rm(socketPath, { force: true });
  }
}

/** Gives its error instead of throwing it: QEMU's own words, or its death, come first. */
async function sendFile(
  file: string,
  socketPath: string,
  signal: AbortSignal,
): Promise<VirgaError | undefined> {
  const socket = connect(socketPath);
  try {
    await once(socket, "connect", { signal });
    await pipeline(createReadStream(file), socket, { signal });
    return undefined;
  } catch (error) {
    const reason = errorText(error);
    return new VirgaError("HYPERVISOR_ERROR", `Cannot send ${file} to QEMU: ${reason}`, {
      cause: error,
      details: { file, chain: [reason] },
    });
  } finally {
    socket.destroy();
  }
}

async function waitForRestore(
  qmp: QmpSession,
  sent: Promise<VirgaError | undefined>,
): Promise<void> {
  let sendError: VirgaError | undefined;
  void sent.then((error) => {
    sendError = error;
  });
  for (;;) {
    const failed = sendError;
    const answer = Object(await qmp.execute("query-migrate")) as Record<string, unknown>;
    if (answer["status"] === "completed") return;
    if (answer["status"] === "failed") {
      const given = answer["error-desc"];
      const reason = typeof given === "string" ? given.slice(0, 500) : "no reason given";
      throw new VirgaError("HYPERVISOR_ERROR", `QEMU cannot restore the device state: ${reason}`, {
        details: { command: "migrate-incoming", chain: [reason] },
      });
    }
    if (failed !== undefined) throw failed;
    await sleep(POLL_MS);
  }
}
