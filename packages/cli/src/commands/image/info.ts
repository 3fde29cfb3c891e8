import { Images } from "@virga/sandbox";
import { factsText } from "../../output/facts.ts";
import { printJson } from "../../output/print-json.ts";
import { printLine } from "../../output/print.ts";
import { imageJson } from "./image-json.ts";

/** `virga image info`: what an image is, and what commands in it start with. */
export async function imageInfo(name: string, json: boolean): Promise<number> {
  const facts = imageJson(await new Images().info(name));
  if (json) printJson(facts);
  else printLine(factsText(facts));
  return 0;
}
