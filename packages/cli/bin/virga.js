#!/usr/bin/env node
import module from "node:module";

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major > 24 || (major === 24 && minor >= 15)) {
  module.enableCompileCache?.();
  await import("../dist/main.js");
} else {
  process.stderr.write(
    `virga: Node ${process.versions.node} is too old: Node 24.15 or later is needed; in a checkout run "npx virga", which brings its own.\n`,
  );
  process.exitCode = 125;
}
