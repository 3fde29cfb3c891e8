import { VirgaError } from "../../errors.ts";
import type {
  CallOptions,
  HypervisorControl,
  SnapshotOutput,
  SnapshotSource,
  VmContext,
  VmmInfo,
  VmmIdentity,
  VmmState,
} from "../port.ts";
import { withQmp } from "./qmp-session.ts";
import type { QmpSession } from "./qmp-session.ts";
import { restoreState } from "./restore-state.ts";
import { saveSnapshot } from "./save-snapshot.ts";

const MIB = 1 << 20;

/** QEMU's run states as the port knows them; every other one is `unknown`. */
const STATES: ReadonlyMap<string, VmmState> = new Map([
  ["running", "running"],
  ["paused", "paused"],
  ["suspended", "paused"],
  ["postmigrate", "paused"],
  ["save-vm", "paused"],
  ["finish-migrate", "paused"],
  ["prelaunch", "created"],
  ["inmigrate", "created"],
  ["shutdown", "none"],
]);

/**
 * Drives one QEMU. Each call connects to a monitor and leaves it again: a monitor serves one client at a time, and any process may come next. Operations use
 * one monitor, `ping` and `info` the other, so that these never wait for an operation.
 */
export class QemuControl implements HypervisorControl {
  readonly #context: VmContext;

  constructor(context: VmContext) {
    this.#context = context;
  }

  async ping(options: CallOptions): Promise<VmmIdentity> {
    return this.#read(options, async (qmp) => {
      const [identity, version] = await Promise.all([
        qmp.execute("query-uuid"),
        qmp.execute("query-version"),
      ]);
      const uuid = field(identity, "UUID", "query-uuid");
      const { major, minor, micro } = Object(Object(version)["qemu"]) as Record<string, unknown>;
      const numbers = [major, minor, micro];
      if (!numbers.every((number) => Number.isSafeInteger(number))) {
        throw notUnderstood("query-version", version);
      }
      return { uuid, version: numbers.join(".") };
    });
  }

  async info(options: CallOptions): Promise<VmmInfo> {
    return this.#read(options, async (qmp) => {
      const [status, memoryActualBytes] = await Promise.all([
        runState(qmp),
        this.#memoryActual(qmp),
      ]);
      return { state: STATES.get(status) ?? "unknown", memoryActualBytes };
    });
  }

  async #memoryActual(qmp: QmpSession): Promise<number> {
    const { balloon, memoryMib } = this.#context.config;
    if (!balloon) return memoryMib * MIB;
    const answer = await qmp.execute("query-balloon");
    const actual: unknown = Object(answer)["actual"];
    if (typeof actual === "number" && Number.isSafeInteger(actual) && actual >= 0) return actual;
    throw notUnderstood("query-balloon", answer);
  }

  /** Nothing: QEMU has had its configuration since its launch. */
  create(): Promise<void> {
    return Promise.resolve();
  }

  async boot(options: CallOptions): Promise<void> {
    await this.#operate(options, (qmp) => proceed(qmp, "boot", ["prelaunch"]));
  }

  async restore(source: SnapshotSource, options: CallOptions): Promise<void> {
    await this.#operate(options, async (qmp) => {
      await restoreState(this.#context, source, qmp);
      await proceed(qmp, "restore", ["paused"]);
    });
  }

  async pause(options: CallOptions): Promise<void> {
    await this.#operate(options, async (qmp) => {
      await qmp.execute("stop");
      // It tells of the stop only when the guest ran. To ask before would take as long again.
      if (!qmp.saw("STOP")) throw wrongState("pause", await runState(qmp), ["running"]);
    });
  }

  async resume(options: CallOptions): Promise<void> {
    await this.#operate(options, async (qmp) => {
      await qmp.execute("cont");
      // For a guest that runs already it tells of a stop too.
      if (qmp.saw("STOP") || !qmp.saw("RESUME")) {
        throw wrongState("resume", await runState(qmp), ["paused", "postmigrate"]);
      }
    });
  }

  async setBalloon(bytes: number, options: CallOptions): Promise<void> {
    const total = this.#context.config.memoryMib * MIB;
    if (!Number.isSafeInteger(bytes) || bytes < 0 || bytes >= total) {
      throw new VirgaError(
        "INVALID_ARGUMENT",
        `Balloon must be from 0 to less than the VM's memory of ${total} bytes, not ${bytes}`,
        { details: { bytes, total } },
      );
    }
    await this.#operate(options, (qmp) => qmp.execute("balloon", { value: total - bytes }));
  }

  async snapshot(options: CallOptions): Promise<SnapshotOutput> {
    return this.#operate(options, async (qmp) => {
      await expectState(qmp, "snapshot", ["paused", "postmigrate"]);
      return saveSnapshot(this.#context, qmp, options);
    });
  }

  async quit(options: CallOptions): Promise<void> {
    try {
      await this.#operate(options, (qmp) => qmp.execute("quit"));
    } catch (error) {
      if (!(error instanceof VirgaError) || error.code !== "HYPERVISOR_EXITED") throw error;
    }
  }

  /** Nothing: no connection outlives its call. */
  close(): void {}

  #read<T>(options: CallOptions, body: (qmp: QmpSession) => Promise<T>): Promise<T> {
    return withQmp(this.#context.layout.host.qmpReads, options, body);
  }

  #operate<T>(options: CallOptions, body: (qmp: QmpSession) => Promise<T>): Promise<T> {
    return withQmp(this.#context.layout.host.qmpOperations, options, body);
  }
}

/** Lets the guest run, and makes sure that it does. */
async function proceed(qmp: QmpSession, operation: string, from: readonly string[]): Promise<void> {
  await expectState(qmp, operation, from);
  await qmp.execute("cont");
}

async function expectState(
  qmp: QmpSession,
  operation: string,
  allowed: readonly string[],
): Promise<void> {
  const state = await runState(qmp);
  if (!allowed.includes(state)) throw wrongState(operation, state, allowed);
}

function wrongState(operation: string, state: string, allowed: readonly string[]): VirgaError {
  return new VirgaError(
    "HYPERVISOR_ERROR",
    `QEMU cannot ${operation}: the guest is ${state}, not ${allowed.join(" or ")}`,
    { details: { command: operation, state, allowed, chain: [`the guest is ${state}`] } },
  );
}

async function runState(qmp: QmpSession): Promise<string> {
  return field(await qmp.execute("query-status"), "status", "query-status");
}

function field(answer: unknown, name: string, command: string): string {
  const value: unknown = Object(answer)[name];
  if (typeof value === "string") return value;
  throw notUnderstood(command, answer);
}

function notUnderstood(command: string, answer: unknown): VirgaError {
  const received = JSON.stringify(answer)?.slice(0, 200) ?? "nothing";
  return new VirgaError(
    "HYPERVISOR_PROTOCOL",
    `Cannot understand QEMU's answer to ${command}: ${received}`,
    {
      details: { command, received },
    },
  );
}
