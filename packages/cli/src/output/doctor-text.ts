import type { DoctorReport } from "@virga/sandbox";
import { virgaCommand } from "@virga/vm";

/** The report as lines for a person: each check with its mark, and below it what to do where it failed. */
export function doctorText(report: DoctorReport): string {
  const lines: string[] = [];
  const width = Math.max(
    0,
    ...[...report.checks, ...report.hypervisors].map(({ name }) => name.length),
  );
  const line = (ok: boolean, name: string, text: string, fix?: string): void => {
    lines.push(`${ok ? "ok  " : "no  "} ${name.padEnd(width)}  ${text}`);
    if (fix !== undefined) lines.push(`${" ".repeat(width + 7)}fix: ${fix}`);
  };
  for (const { name, ok, detail, fix } of report.checks)
    line(ok, name, detail, ok ? undefined : fix);
  lines.push("");
  for (const { name, version, accelerator, usable, reason } of report.hypervisors) {
    const what = [version, accelerator].filter((part) => part !== null).join(", ");
    line(usable, name, what === "" ? reason : `${what}: ${reason}`);
  }
  lines.push("");
  const chosen = report.hypervisors.find(({ usable, name }) => usable && name === report.chosen);
  lines.push(
    report.ok
      ? `VMs can run here; --hypervisor auto picks ${report.chosen} (${chosen?.accelerator ?? "?"}).`
      : `VMs cannot run here yet: see what is marked "no" above, or run: ${virgaCommand("setup")}`,
  );
  return lines.join("\n");
}
