import { factsText } from "../output/facts.ts";
import { printJson } from "../output/print-json.ts";
import { printLine } from "../output/print.ts";
import { useSandbox } from "../sandboxes/use-sandbox.ts";

const KIB_PER_MIB = 1024;
const mib = (kib: number): string => `${Math.round(kib / KIB_PER_MIB)} MiB`;

/** `virga stats`: how busy the guest is. */
export async function statsCommand(name: string, json: boolean): Promise<number> {
  const stats = await useSandbox(name, (sandbox) => sandbox.stats());
  if (json) {
    printJson(stats);
    return 0;
  }
  const busy = stats.cpuTotalMs === 0 ? 0 : (100 * stats.cpuBusyMs) / stats.cpuTotalMs;
  printLine(
    factsText({
      uptime: `${Math.round(stats.uptimeMs / 1_000)} s`,
      load: stats.loadAverage.map((load) => load.toFixed(2)).join(" "),
      processors: `${stats.cpus}, busy ${busy.toFixed(1)} % of the time since boot`,
      memory: `${mib(stats.memoryAvailableKib)} of ${mib(stats.memoryTotalKib)} available`,
      disk: `${mib(stats.diskFreeKib)} of ${mib(stats.diskTotalKib)} free`,
      processes: stats.processes,
    }),
  );
  return 0;
}
