import { setTimeout as sleep } from "node:timers/promises";
import { VirgaError, abortedError, isVirgaError } from "../../errors.ts";
import type {
  CallOptions,
  HypervisorControl,
  SnapshotOutput,
  VmContext,
  VmmIdentity,
  VmmInfo,
  VmmState,
} from "../port.ts";
import { createApiClient } from "./api-client.ts";
import type { ApiClient } from "./api-client.ts";
import { chainIncludes } from "./api-error.ts";
import { publishSnapshot } from "./publish.ts";
import { explainRestoreFailure, restoreBody } from "./restore.ts";
import { vmConfigJson } from "./vm-config-json.ts";

/** While demand paging fills memory a snapshot is refused; there is no event at its end. */
const STILL_RESTORING = "on-demand memory restore is still in progress";

const RETRY_MS = [20, 50, 100, 200, 500, 1000] as const;

/** The control connection of one VM on Cloud Hypervisor. */
export function createControl(context: VmContext): HypervisorControl {
  const client = createApiClient(context.layout.host.api);
  const put = async (call: string, options: CallOptions, body?: unknown): Promise<void> => {
    await client.call("PUT", call, { ...options, ...(body !== undefined && { body }) });
  };
  return {
    ping: async (options) => parseIdentity(await client.call("GET", "vmm.ping", options)),
    info: (options) => readInfo(client, options),
    create: (options) => put("vm.create", options, vmConfigJson(context)),
    boot: (options) => put("vm.boot", options),
    async restore(source, options) {
      try {
        await put("vm.restore", options, restoreBody(context, source));
      } catch (error) {
        throw explainRestoreFailure(error, source);
      }
    },
    pause: (options) => put("vm.pause", options),
    resume: (options) => put("vm.resume", options),
    setBalloon: (bytes, options) => put("vm.resize", options, { desired_balloon: bytes }),
    snapshot: (options) => takeSnapshot(context, put, options),
    async quit(options) {
      try {
        await put("vmm.shutdown", options);
      } catch (error) {
        // It may be gone before its answer is.
        if (!isVirgaError(error) || error.code !== "HYPERVISOR_EXITED") throw error;
      }
    },
    close: () => client.close(),
  };
}

type Put = (call: string, options: CallOptions, body?: unknown) => Promise<void>;

async function takeSnapshot(
  context: VmContext,
  put: Put,
  options: CallOptions,
): Promise<SnapshotOutput> {
  const { signal } = options;
  const deadline = performance.now() + options.timeoutMs;
  const remaining = (): number => Math.max(1, Math.ceil(deadline - performance.now()));
  for (let attempt = 0; ; attempt++) {
    try {
      await put(
        "vm.snapshot",
        { timeoutMs: remaining(), signal },
        { destination_url: `file://${context.layout.inside.out}` },
      );
      break;
    } catch (error) {
      if (!chainIncludes(error, STILL_RESTORING)) throw error;
      const waitMs = RETRY_MS[Math.min(attempt, RETRY_MS.length - 1)] ?? 1000;
      if (performance.now() + waitMs >= deadline) throw stillRestoring(options.timeoutMs, error);
      await pauseFor(waitMs, signal);
    }
  }
  const limit = AbortSignal.timeout(remaining());
  try {
    return await publishSnapshot(
      context,
      signal === undefined ? limit : AbortSignal.any([signal, limit]),
    );
  } catch (error) {
    if (!limit.aborted || signal?.aborted === true) throw error;
    throw new VirgaError(
      "TIMEOUT",
      `Copying the guest's memory took longer than ${options.timeoutMs} ms`,
      {
        cause: error,
        details: { timeoutMs: options.timeoutMs },
      },
    );
  }
}

async function pauseFor(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch (error) {
    if (signal?.aborted === true) throw abortedError("waiting for demand paging to end", signal);
    throw error;
  }
}

function stillRestoring(timeoutMs: number, cause: unknown): VirgaError {
  return new VirgaError(
    "TIMEOUT",
    `Cannot snapshot: Cloud Hypervisor has not filled the guest's memory on demand within ${timeoutMs} ms`,
    {
      cause,
      details: { timeoutMs },
      hint: "Wait longer, or restore in mode `shared` or `copy` what will be snapshotted again.",
    },
  );
}

function parseIdentity(value: unknown): VmmIdentity {
  if (typeof value === "object" && value !== null && "build_version" in value && "pid" in value) {
    const { build_version: version, pid } = value;
    if (
      typeof version === "string" &&
      typeof pid === "number" &&
      Number.isSafeInteger(pid) &&
      pid > 0
    ) {
      return { pid, version };
    }
  }
  throw notUnderstood("vmm.ping", "there is no version or no pid in it");
}

async function readInfo(client: ApiClient, options: CallOptions): Promise<VmmInfo> {
  let value: unknown;
  try {
    value = await client.call("GET", "vm.info", options);
  } catch (error) {
    if (chainIncludes(error, "VM is not created") || chainIncludes(error, "VmNotCreated"))
      return { state: "none" };
    throw error;
  }
  if (
    typeof value !== "object" ||
    value === null ||
    !("state" in value) ||
    typeof value.state !== "string"
  ) {
    throw notUnderstood("vm.info", "there is no state in it");
  }
  const memory = "memory_actual_size" in value ? value.memory_actual_size : undefined;
  return {
    state: STATES.get(value.state) ?? "unknown",
    ...(typeof memory === "number" &&
      Number.isSafeInteger(memory) && { memoryActualBytes: memory }),
  };
}

const STATES: ReadonlyMap<string, VmmState> = new Map([
  // After a shutdown the VM is dropped and only its configuration is left.
  ["Created", "created"],
  ["Shutdown", "created"],
  ["Running", "running"],
  ["Paused", "paused"],
]);

function notUnderstood(call: string, why: string): VirgaError {
  return new VirgaError(
    "HYPERVISOR_PROTOCOL",
    `Cannot understand Cloud Hypervisor's answer to ${call}: ${why}`,
    { details: { call } },
  );
}
