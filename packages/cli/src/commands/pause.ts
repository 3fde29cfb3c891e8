import { changeState } from "./change-state.ts";

/** `virga pause`: stops a sandbox; it stays in memory. */
export async function pauseCommand(name: string, json: boolean): Promise<number> {
  return changeState(name, json, (sandbox, signal) => sandbox.pause({ signal }));
}
