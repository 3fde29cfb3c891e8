import { Snapshots } from "@virga/sandbox";
import { heardExitCode, interruptSignal } from "../../interrupt.ts";
import { printJson } from "../../output/print-json.ts";
import { printLine } from "../../output/print.ts";
import { withSuggestion } from "../../sandboxes/with-suggestion.ts";

/** `virga snapshot rm`: removes snapshots that nothing needs. The first that cannot be removed ends it. */
export async function snapshotRm(names: readonly string[], json: boolean): Promise<number> {
  const snapshots = new Snapshots();
  const known = async (): Promise<string[]> =>
    (await snapshots.list()).map(({ name, id }) => name ?? id);
  // From here on such a signal lets end what was begun.
  interruptSignal();
  const removed: string[] = [];
  try {
    for (const name of names) {
      const stopped = heardExitCode();
      if (stopped !== undefined) return stopped;
      removed.push(await withSuggestion(name, () => snapshots.remove(name), known));
      if (!json) printLine(name);
    }
    return 0;
  } finally {
    // What is gone is told of, however it ends.
    if (json) printJson(removed);
  }
}
