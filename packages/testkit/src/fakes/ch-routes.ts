import type { FakeCall } from "./behaviour.ts";
import type { Outcome } from "./call-rule.ts";
import type { ChConfig } from "./ch-config.ts";
import type { ChVm } from "./ch-vm.ts";

/** One endpoint of the REST interface. */
export interface Route {
  readonly method: "GET" | "PUT";
  readonly shared?: FakeCall;
  /** With a body, the endpoint takes one; without it, one is an error. */
  readonly withBody?: (body: Record<string, unknown>) => Outcome | Promise<Outcome>;
  readonly run?: () => Outcome | Promise<Outcome>;
}

/** The endpoints of 53.0 that a manager uses, by the last part of their path. `version` as `--version` prints it. */
export function chRoutes(
  vm: ChVm,
  version: () => string,
  quit: () => void,
): Readonly<Record<string, Route>> {
  const ping = (): Outcome => ({
    status: 200,
    value: {
      build_version: version(),
      version: version(),
      pid: process.pid,
      features: ["kvm", "io_uring"],
    },
  });
  return {
    "vmm.ping": { method: "GET", shared: "ping", run: ping },
    "vmm.shutdown": {
      method: "PUT",
      shared: "quit",
      run: () => {
        vm.delete();
        setImmediate(quit);
        return { status: 200, value: "" };
      },
    },
    "vm.info": { method: "GET", shared: "info", run: () => vm.info() },
    "vm.create": {
      method: "PUT",
      shared: "create",
      withBody: (body) => vm.create(body as ChConfig),
    },
    "vm.boot": { method: "PUT", shared: "boot", run: () => vm.boot() },
    "vm.pause": { method: "PUT", shared: "pause", run: () => vm.pause() },
    "vm.resume": { method: "PUT", shared: "resume", run: () => vm.resume() },
    "vm.shutdown": { method: "PUT", run: () => vm.shutdown() },
    "vm.delete": { method: "PUT", run: () => vm.delete() },
    "vm.resize": {
      method: "PUT",
      shared: "balloon",
      withBody: (body) =>
        vm.resize(
          body["desired_balloon"] === undefined ? undefined : numberOf(body, "desired_balloon"),
        ),
    },
    "vm.snapshot": {
      method: "PUT",
      shared: "snapshot",
      withBody: (body) => vm.snapshot(fileUrl(body, "destination_url")),
    },
    "vm.restore": {
      method: "PUT",
      shared: "restore",
      withBody: (body) => {
        const mode = body["memory_restore_mode"] ?? "Copy";
        if (mode !== "Copy" && mode !== "OnDemand")
          throw new Error(`unknown variant ${JSON.stringify(mode)}`);
        return vm.restore(fileUrl(body, "source_url"), mode, body["resume"] === true);
      },
    },
  };
}

function numberOf(body: Record<string, unknown>, name: string): number {
  const value = body[name];
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0)
    throw new Error(`invalid ${name}`);
  return value;
}

function fileUrl(body: Record<string, unknown>, name: string): string {
  const value = body[name];
  if (typeof value !== "string" || !value.startsWith("file://")) throw new Error(`invalid ${name}`);
  return value.slice("file://".length);
}
