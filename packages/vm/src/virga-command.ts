import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** A folder that npm puts on the PATH for what it starts: not on the PATH of the user. */
const NPM_FOLDER = /(?:^|\/)node_modules\/\.bin\/?$/u;

/** How to type a command of Virga's here, for hints: `virga setup` where `virga` is on the PATH, else `npx virga setup`, as in a checkout. */
export function virgaCommand(words: string, path: string = process.env["PATH"] ?? ""): string {
  const folders = path
    .split(delimiter)
    .filter((folder) => folder !== "" && !NPM_FOLDER.test(folder));
  return folders.some(hasVirga) ? `virga ${words}` : `npx virga ${words}`;
}

function hasVirga(folder: string): boolean {
  try {
    accessSync(join(folder, "virga"), constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
