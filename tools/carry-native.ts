// Puts the native programs that users need, built, where @virga/sandbox's tarball carries them: run by its prepack.
import { copyFile, mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildNative, nativePrograms } from "../packages/sandbox/src/setup/native-build.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const sourceDir = join(root, "native");
const target = join(root, "packages/sandbox/native", process.arch);

// What starts with "test-" is for tests only.
const only = (await nativePrograms(sourceDir)).filter((name) => !name.startsWith("test-"));
const programs = await buildNative({ sourceDir, outDir: join(sourceDir, "build"), only });
await rm(target, { recursive: true, force: true });
await mkdir(target, { recursive: true });
for (const { name, path } of programs) await copyFile(path, join(target, `virga-${name}`));
