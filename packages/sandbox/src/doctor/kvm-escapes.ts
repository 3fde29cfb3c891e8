/** A way out of a guest through the host's KVM. */
export interface KvmEscape {
  readonly id: string;
  /** Whether guests must be able to run guests of their own. */
  readonly needsNesting: boolean;
  /** Processors it is known on, as Node names them. */
  readonly processors: readonly string[];
  /** Kernel series → first release in it that is fixed. */
  readonly fixedIn: Readonly<Record<string, number>>;
}

/** Known escapes of recent years. Add a row when one becomes known. */
export const KVM_ESCAPES: readonly KvmEscape[] = [
  {
    id: "CVE-2026-53359",
    needsNesting: true,
    processors: ["x64"],
    fixedIn: { "6.1": 177, "6.6": 144, "6.12": 95, "6.18": 38, "7.1": 3 },
  },
  {
    id: "CVE-2026-46113",
    needsNesting: true,
    processors: ["x64"],
    fixedIn: { "6.1": 177, "6.6": 144, "6.12": 95, "6.18": 38, "7.1": 3 },
  },
  { id: "CVE-2026-64561", needsNesting: true, processors: ["x64"], fixedIn: { "7.1": 6 } },
  { id: "CVE-2026-46316", needsNesting: false, processors: ["arm64"], fixedIn: {} },
];

/** How a kernel stands to an escape. `unknown`: no fixed release of its series is known here. */
export type EscapeState = "fixed" | "vulnerable" | "unknown";

/** A kernel's upstream version. */
export interface KernelVersion {
  readonly series: string;
  readonly release: number;
}

/**
 * Reads the upstream version of a running kernel. Debian names only the series in `uname -r` and the real version in `uname -v` ("Debian 6.1.192-2").
 * `undefined` when neither tells.
 */
export function kernelVersionOf(release: string, version: string): KernelVersion | undefined {
  const match =
    /\bDebian (\d+\.\d+)\.(\d+)/u.exec(version) ??
    /^(\d+\.\d+)(?:\.(\d+))?(?=[^\d.]|$)/u.exec(release);
  if (match?.[1] === undefined) return undefined;
  return { series: match[1], release: Number(match[2] ?? 0) };
}

/** Judges a kernel. Series newer than all that are listed came after the fix. */
export function escapeState(escape: KvmEscape, kernel: KernelVersion): EscapeState {
  const fixed = escape.fixedIn[kernel.series];
  if (fixed !== undefined) return kernel.release >= fixed ? "fixed" : "vulnerable";
  const listed = Object.keys(escape.fixedIn);
  const newer = listed.length > 0 && listed.every((series) => isNewer(kernel.series, series));
  return newer ? "fixed" : "unknown";
}

function isNewer(series: string, other: string): boolean {
  const [major = 0, minor = 0] = series.split(".").map(Number);
  const [otherMajor = 0, otherMinor = 0] = other.split(".").map(Number);
  return major > otherMajor || (major === otherMajor && minor > otherMinor);
}
