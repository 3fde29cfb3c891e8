import { BUILT_IN_NAMES, DEBIAN, Images } from "@virga/sandbox";
import { printJson } from "../../output/print-json.ts";
import { printLine } from "../../output/print.ts";
import { printable } from "../../output/printable.ts";
import { mibText } from "../../output/table-cells.ts";
import { table } from "../../output/table.ts";
import { imageJson } from "./image-json.ts";

/** Digits that tell images apart. */
const SHORT_DIGITS = 12;

/** `virga image ls`: what images there are. Those that are built in have no digest, and are in the table only. */
export async function imageLs(json: boolean): Promise<number> {
  const images = await new Images().list();
  if (json) {
    printJson(images.map(imageJson));
    return 0;
  }
  const rows = images.map(({ record, names }) => [
    printable(names.join(", ") || "-"),
    record.digest.slice("sha256:".length).slice(0, SHORT_DIGITS),
    mibText(record.base.bytes),
    record.createdAt.slice(0, 16).replace("T", " "),
    printable(record.source),
  ]);
  const isMade = images.some(({ names }) => names.includes(DEBIAN));
  const toMake = isMade ? [] : [[DEBIAN, "-", "-", "-", "made when it is first used"]];
  const builtIn = BUILT_IN_NAMES.map((name) => [name, "-", "-", "-", "built in"]);
  printLine(
    table(["NAME", "DIGEST", "SIZE", "CREATED", "SOURCE"], [...rows, ...toMake, ...builtIn]),
  );
  return 0;
}
