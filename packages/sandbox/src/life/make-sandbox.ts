import { mkdir } from "node:fs/promises";
import { errorText, tryLock } from "@virga/vm";
import type { HeldLock } from "@virga/vm";
import type { Guest } from "../guest/boot-guest.ts";
import type { SandboxRow, SandboxSpec } from "../catalog/rows.ts";
import { tellWhoItIs } from "../guest/guest-agent.ts";
import type { Host } from "../host.ts";
import { thisOwner } from "../owners/owner-alive.ts";
import { sandboxPaths } from "../sandbox-lock.ts";
import type { Timings } from "../timings.ts";
import { destroyedError, whileAlive } from "../guest/vm-death.ts";
import { endVm } from "./end-vm.ts";
import { LifeOperation } from "./life-operation.ts";
import { removeSandbox } from "./remove-sandbox.ts";
import { watchDestroy } from "./watch-destroy.ts";

/** Whose row to write. */
export interface NewSandbox {
  readonly id: string;
  readonly name: string | null;
  readonly spec: SandboxSpec;
  readonly parent: string | null;
  readonly snapshot: string | null;
}

/** What sandbox to make. */
export interface MakeSandboxOptions {
  readonly host: Host;
  /** As {@link newRow} made it. */
  readonly row: SandboxRow;
  /** Whether the row is in the catalogue already. Default false. */
  readonly isInserted?: boolean;
  /** Called in the transaction that adds its row. */
  readonly onInsert?: () => void;
  /** Whether it dies with this process. */
  readonly ephemeral: boolean;
  readonly timings: Timings;
  readonly signal: AbortSignal | undefined;
  /** Makes its disk and its VM, whose guest waits to be told who it is. The signal is also aborted when somebody destroys the sandbox. */
  readonly makeGuest: (operation: LifeOperation, signal: AbortSignal) => Promise<Guest>;
}

/** The row of a sandbox that this process begins to make. */
export function newRow(sandbox: NewSandbox): SandboxRow {
  return {
    ...sandbox,
    phase: "creating",
    pendingThaw: "none",
    owner: thisOwner(),
    suspended: null,
    intent: { kind: "create" },
    createdAt: new Date().toISOString(),
    timings: {},
  };
}

/** A sandbox that is whole, but nobody's yet. */
export interface MadeSandbox {
  readonly guest: Guest;
  readonly timings: Timings;
  /** Its row as {@link keep} leaves it. */
  readonly row: SandboxRow;
  /** Within a transaction, or as one: makes it stay. `VM_DESTROYED` when somebody destroyed it meanwhile. */
  keep(): void;
  /** To be called when it is kept. */
  release(): void;
  /** Removes it again. */
  remove(): Promise<void>;
}

/**
 * Makes a sandbox up to the point where it only has to be kept. A failure leaves nothing behind; so does the death of this process before that. `VM_DESTROYED` soon after
 * somebody has destroyed it meanwhile.
 */
export async function makeSandbox(options: MakeSandboxOptions): Promise<MadeSandbox> {
  const { host, row, ephemeral, timings } = options;
  const { id, spec, owner } = row;
  const { catalog, home, logger } = host;
  const operation = new LifeOperation(id, "create", timings);
  let lock: HeldLock | undefined;
  const remove = async (): Promise<void> => {
    try {
      await endVm(host, id);
      await removeSandbox(host, id);
    } finally {
      lock?.release();
    }
  };
  if (options.isInserted !== true) {
    await operation.step("row", () =>
      catalog.transaction(() => {
        options.onInsert?.();
        catalog.sandboxes.insert(row);
      }),
    );
  }
  using watch = watchDestroy(host, id, "make the sandbox", options.signal);
  const { signal } = watch;
  try {
    const paths = sandboxPaths(home, id);
    await operation.step("directory", async () => {
      await mkdir(paths.directory, { mode: 0o700 });
      lock = tryLock(paths.lock);
      // A destroy that came before the lock was there has found nothing to wait for.
      if (lock === undefined || catalog.sandboxes.get(id)?.phase !== "creating") {
        throw destroyedError(id, "make the sandbox");
      }
    });
    const guest = await operation.whole("guest", () => options.makeGuest(operation, signal));
    await operation.step("init", () => {
      const telling = tellWhoItIs(guest.agent, host, spec, signal);
      return whileAlive(guest.vm, "initialise the guest", telling);
    });
    const kept = {
      phase: "live",
      owner: ephemeral ? owner : null,
      intent: null,
      timings: timings.toJSON(),
    } as const;
    return {
      guest,
      timings,
      row: { ...row, ...kept },
      keep: () => catalog.sandboxes.update(id, kept),
      release: () => lock?.release(),
      remove: async () => {
        await guest.agent.close();
        await remove();
      },
    };
  } catch (error) {
    const told = watch.explain(error);
    await remove().catch((failure: unknown) => {
      // Its row stays, and with it whoever comes next removes it.
      const text = errorText(failure);
      logger.error({ sandbox: id, error: text }, "cannot remove a sandbox that failed to start");
    });
    throw told;
  }
}
