// Runs Python that nobody has read and takes back the plot it draws: one file, of limited size, is all that leaves the sandbox.
// usage: node python-plot.ts PLOT.png [IMAGE] < script.py     The script writes the file that its first argument names.
import { writeFile } from "node:fs/promises";
import { CommandError, Sandbox } from "virga";

const [, , plot = "plot.png", image = "debian"] = process.argv;
await using sandbox = await Sandbox.create({ image });
try {
  await sandbox.run(["python3", "-", "/tmp/plot.png"], {
    stdin: process.stdin,
    timeoutMs: 60_000,
  });
  await writeFile(plot, await sandbox.files.readFile("/tmp/plot.png", { maxBytes: 2 ** 20 }));
  console.log(`wrote ${plot}`);
} catch (error) {
  if (!(error instanceof CommandError)) throw error;
  console.error(error.stderr.trimEnd());
  process.exitCode = 1;
}
