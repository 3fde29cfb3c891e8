import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { memoryBytes, type ChConfig } from "./ch-config.ts";
import { readMemory, writeMemory } from "./fake-guest.ts";

const MEMORY_FILE = "memory-ranges";

/** Writes all of a snapshot but memory. Throws where a file is there already. */
export function saveState(destination: string, config: ChConfig, balloonBytes: number): void {
  const exclusive = { flag: "wx", mode: 0o600 } as const;
  writeFileSync(join(destination, "config.json"), JSON.stringify(config), exclusive);
  const state = stateJson(memoryBytes(config), balloonBytes);
  writeFileSync(join(destination, "state.json"), state, exclusive);
}

/** Writes the memory of a snapshot. Throws where the file is there already. */
export function saveMemory(destination: string, config: ChConfig, memory: Buffer): void {
  writeMemory(join(destination, MEMORY_FILE), memory, memoryBytes(config));
}

function stateJson(bytes: number, balloonBytes: number): string {
  const memory = {
    memory_ranges: { data: [{ gpa: 0, length: bytes }] },
    guest_ram_mappings: [
      { slot: 0, gpa: 0, size: bytes, zone_id: "memory", virtio_mem: false, file_offset: 0 },
    ],
  };
  return JSON.stringify({
    id: "vm",
    snapshots: { "memory-manager": { snapshot_data: { state: JSON.stringify(memory) } } },
    fake: { balloonBytes },
  });
}

/** A snapshot that was read. */
export interface LoadedSnapshot {
  readonly config: ChConfig;
  readonly balloonBytes: number;
  readonly memory: Buffer;
}

/** Reads a snapshot, or says in the real one's words why it cannot be used. */
export function loadSnapshot(
  source: string,
): LoadedSnapshot | { readonly chain: readonly string[] } {
  try {
    const config = JSON.parse(readFileSync(join(source, "config.json"), "utf8")) as ChConfig;
    const state = JSON.parse(readFileSync(join(source, "state.json"), "utf8")) as {
      fake?: { balloonBytes?: number };
    };
    const zone = config.memory?.zones?.find((one) => one.file !== undefined)?.file;
    const ranges = join(source, MEMORY_FILE);
    const file = existsSync(ranges) ? ranges : zone;
    if (file === undefined)
      return { chain: ["Cannot open memory file", "No such file or directory (os error 2)"] };
    if (statSync(file).size < memoryBytes(config))
      return { chain: ["Cannot read memory", "failed to fill whole buffer"] };
    return { config, balloonBytes: state.fake?.balloonBytes ?? 0, memory: readMemory(file) };
  } catch (error) {
    return { chain: ["Cannot read the snapshot", String(error)] };
  }
}
