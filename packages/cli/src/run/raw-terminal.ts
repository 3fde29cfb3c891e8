import { spawnSync } from "node:child_process";
import type { ReadStream } from "node:tty";

/**
 * Hands every key over as it is, Ctrl-C included, until the returned function is called or this process exits. Undone also when the process is stopped in
 * the shell and goes on: then the shell has set the terminal back.
 */
export function enterRawMode(stdin: ReadStream): () => void {
  const enter = (): void => {
    stdin.setRawMode(true);
    // Node leaves the translation of line ends on, which the guest's terminal does already: programs that draw would come out askew.
    spawnSync("stty", ["-opost"], { stdio: ["inherit", "ignore", "ignore"] });
  };
  const leave = (): void => {
    process.off("SIGCONT", enter);
    process.off("exit", leave);
    stdin.setRawMode(false);
  };
  enter();
  process.on("SIGCONT", enter);
  process.on("exit", leave);
  return leave;
}
