import { isVirgaError } from "../../errors.ts";
import type { CallOptions, HypervisorControl, VmContext, VmmInfo } from "../port.ts";
import { parseIdentity, parseInfo } from "./api-answers.ts";
import { createApiClient } from "./api-client.ts";
import type { ApiClient } from "./api-client.ts";
import { chainIncludes } from "./api-error.ts";
import { explainRestoreFailure, restoreBody } from "./restore.ts";
import { takeSnapshot } from "./take-snapshot.ts";
import { vmConfigJson } from "./vm-config-json.ts";

/** The control connection of one VM on Cloud Hypervisor. */
export function createControl(context: VmContext): HypervisorControl {
  const client = createApiClient(context.layout.host.api);
  const put = async (call: string, options: CallOptions, body?: unknown): Promise<void> => {
    await client.call("PUT", call, { ...options, ...(body !== undefined && { body }) });
  };
  return {
    ping: async (options) => parseIdentity(await client.call("GET", "vmm.ping", options)),
    info: (options) => readInfo(client, options),
    create: async (options) => put("vm.create", options, vmConfigJson(context)),
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
    snapshot: (options) => takeSnapshot(context, client, options),
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

async function readInfo(client: ApiClient, options: CallOptions): Promise<VmmInfo> {
  try {
    return parseInfo(await client.call("GET", "vm.info", options));
  } catch (error) {
    const isEmpty =
      chainIncludes(error, "VM is not created") || chainIncludes(error, "VmNotCreated");
    if (isEmpty) return { state: "none" };
    throw error;
  }
}
