// Uses a command in a sandbox as a filter: streams go in and out, whatever their size, at the pace of the slower side.
// usage: node through-a-pipe.ts COMMAND [ARG…] < in > out
import { pipeline } from "node:stream/promises";
import { Sandbox } from "virga";

const [, , ...command] = process.argv;
await using sandbox = await Sandbox.create();
const guest = sandbox.spawn(command, { stdin: true });
await Promise.all([
  pipeline(process.stdin, guest.stdin),
  pipeline(guest.stdout, process.stdout, { end: false }),
  pipeline(guest.stderr, process.stderr, { end: false }),
]);
process.exitCode = (await guest.wait()).exitCode;
