import { Images } from "@virga/sandbox";
import { printLine } from "../../output/print.ts";
import { printable } from "../../output/printable.ts";
import { imageJson } from "./image-json.ts";

/** `virga image info`: what an image is, and what commands in it start with. */
export async function imageInfo(name: string, json: boolean): Promise<number> {
  const facts = imageJson(await new Images().info(name));
  if (json) {
    printLine(JSON.stringify(facts, undefined, 2));
    return 0;
  }
  for (const [key, value] of Object.entries(facts)) {
    const text = typeof value === "string" ? value || "-" : JSON.stringify(value);
    printLine(`${key.padEnd(12)} ${printable(text)}`);
  }
  return 0;
}
