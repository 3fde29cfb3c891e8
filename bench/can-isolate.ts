import { tmpdir } from "node:os";
import { VmManager } from "@virga/vm";

/** Whether VMMs get namespaces of their own on this machine. */
export async function canIsolate(launcher: string): Promise<boolean> {
  const manager = new VmManager({ directory: tmpdir(), launcher, drivers: [] });
  return (await manager.isolation()).isolated;
}
