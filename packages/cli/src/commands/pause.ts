import { changeState } from "./change-state.ts";

/** `virga pause`: keeps a sandbox in memory, and stopped. */
export async function pauseCommand(name: string, json: boolean): Promise<number> {
  return changeState(name, json, (sandbox, signal) => sandbox.pause({ signal }));
}
