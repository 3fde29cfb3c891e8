import type { ProcessIdentity } from "@virga/vm";

/** Whether what was read from a record tells a process from all others. */
export function isProcessIdentity(value: unknown): value is ProcessIdentity {
  const { pid, startTime, bootId, pidNamespace } = (value ?? {}) as Partial<ProcessIdentity>;
  return (
    Number.isSafeInteger(pid) &&
    typeof startTime === "string" &&
    typeof bootId === "string" &&
    typeof pidNamespace === "string"
  );
}
