import { isatty } from "node:tty";
import { SHELL } from "@virga/sandbox";
import { execCommand } from "./exec.ts";
import type { CommandFlags } from "../run/command-options.ts";

/** `virga shell`: bash, or sh, in a sandbox: on a terminal when we are on one. */
export async function shellCommand(name: string, flags: CommandFlags): Promise<number> {
  const onTerminal = isatty(0) && isatty(1);
  return execCommand(name, SHELL, {
    ...flags,
    interactive: true,
    ...(onTerminal && { tty: true as const }),
  });
}
