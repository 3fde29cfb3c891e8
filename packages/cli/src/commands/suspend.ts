import { changeState } from "./change-state.ts";

/** `virga suspend`: writes a sandbox to disk and frees its memory. */
export async function suspendCommand(name: string, json: boolean): Promise<number> {
  return changeState(name, json, (sandbox, signal) => sandbox.suspend({ signal }));
}
