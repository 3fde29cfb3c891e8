export {
  Host,
  Sandbox,
  Timings,
  componentVersions,
  type ComponentVersions,
  type HostOptions,
  type OnProgress,
  type RunOptions,
  type RunResult,
  type SandboxOptions,
  type SetupEvent,
  type SpawnOptions,
} from "@virga/sandbox";
export { VERSION } from "./version.ts";
