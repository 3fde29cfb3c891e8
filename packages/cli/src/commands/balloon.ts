import { changeState } from "./change-state.ts";

/** `virga balloon`: takes memory from a sandbox that was made with a balloon, or gives it back. */
export async function balloonCommand(name: string, mib: number, json: boolean): Promise<number> {
  return changeState(name, json, (sandbox, signal) => sandbox.updateBalloon(mib, { signal }));
}
