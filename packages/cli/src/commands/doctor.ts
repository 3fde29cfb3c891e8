import { doctor, findHypervisors } from "@virga/sandbox";
import { interruptSignal } from "../interrupt.ts";
import { doctorText } from "../output/doctor-text.ts";
import { printJson } from "../output/print-json.ts";
import { printLine } from "../output/print.ts";

/** Options of `virga doctor`. */
export interface DoctorCommandOptions {
  readonly json?: boolean;
}

/** `virga doctor`: says what this machine can run, and what to do about the rest. Tries KVM with a guest, once per boot of the machine. Exit code 1 when VMs cannot run. */
export async function doctorCommand(options: DoctorCommandOptions): Promise<number> {
  const report = await doctor({ probe: () => findHypervisors(interruptSignal()) });
  if (options.json === true) printJson(report);
  else printLine(doctorText(report));
  return report.ok ? 0 : 1;
}
