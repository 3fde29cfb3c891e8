// A process that sets up the home and machine given as JSON, for tests with several of them. Events go to stderr, one a line, the result to stdout.
import { ensureReady } from "../src/setup/setup.ts";

const assets = await ensureReady({
  ...JSON.parse(process.argv[2] ?? "{}"),
  onEvent: ({ phase, step }) => process.stderr.write(`${phase} ${step}\n`),
});
process.stdout.write(JSON.stringify(assets));
