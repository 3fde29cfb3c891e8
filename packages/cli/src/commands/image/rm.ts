import { Images } from "@virga/sandbox";
import type { RemovedImage } from "@virga/sandbox";
import { printJson } from "../../output/print-json.ts";
import { printLine } from "../../output/print.ts";

/** `virga image rm`: removes names, and images that have no other. The first that cannot be removed ends it. */
export async function imageRm(names: readonly string[], json: boolean): Promise<number> {
  const images = new Images();
  const removed: RemovedImage[] = [];
  for (const name of names) {
    const one = await images.remove(name);
    removed.push(one);
    if (!json) printLine(one.removed ? one.digest : name);
  }
  if (json) printJson(removed);
  return 0;
}
