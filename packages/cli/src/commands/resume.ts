import { changeState } from "./change-state.ts";

/** `virga resume`: lets a sandbox go on that was paused or suspended. */
export async function resumeCommand(name: string, json: boolean): Promise<number> {
  return changeState(name, json, (sandbox, signal) => sandbox.resume({ signal }));
}
