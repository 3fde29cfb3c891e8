import type { SharedDirectory } from "./machine-arguments.ts";

/** What runs in the lab. */
export interface LabCommand {
  readonly argv: readonly string[];
  /** An absolute path that exists in the host's root or in a shared directory. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly shared: readonly SharedDirectory[];
}

/** Writes the shell script that the lab fetches and runs. */
export function commandScript(command: LabCommand): string {
  const lines: string[] = [];
  for (const { tag, path } of command.shared) {
    const options = "trans=virtio,version=9p2000.L,cache=none,msize=262144";
    lines.push(
      `/run/virga-lab/busybox mkdir -p ${quote(path)} && ` +
        `/run/virga-lab/busybox mount -t 9p -o ${options} ${tag} ${quote(path)} || exit 125`,
    );
  }
  for (const [name, value] of Object.entries(command.env))
    lines.push(`export ${name}=${quote(value)}`);
  lines.push(
    `cd ${quote(command.cwd)} || exit 125`,
    `exec ${command.argv.map(quote).join(" ")}`,
    "",
  );
  return lines.join("\n");
}

function quote(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
