// Runs a shell script that nobody has read, with limits on its time and on what it may write.
// usage: node untrusted-script.ts < script.sh
import { Sandbox } from "virga";

await using sandbox = await Sandbox.create({ memoryMib: 128 });
const result = await sandbox.run(["/bin/sh", "-s"], {
  stdin: process.stdin,
  timeoutMs: 10_000,
  maxOutputBytes: 64 * 1024,
  reject: false,
});
process.stdout.write(result.stdout);
process.stderr.write(result.stderr);
console.log(result.timedOut ? "stopped after 10 s" : `exit code ${result.exitCode}`);
