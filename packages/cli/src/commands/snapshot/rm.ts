import { Snapshots } from "@virga/sandbox";
import { printJson } from "../../output/print-json.ts";
import { printLine } from "../../output/print.ts";
import { withSuggestion } from "../../sandboxes/with-suggestion.ts";

/** `virga snapshot rm`: removes snapshots that nothing needs. The first that cannot be removed ends it. */
export async function snapshotRm(names: readonly string[], json: boolean): Promise<number> {
  const snapshots = new Snapshots();
  const known = async (): Promise<string[]> =>
    (await snapshots.list()).map(({ name, id }) => name ?? id);
  for (const name of names) {
    await withSuggestion(name, () => snapshots.remove(name), known);
    if (!json) printLine(name);
  }
  if (json) printJson(names);
  return 0;
}
