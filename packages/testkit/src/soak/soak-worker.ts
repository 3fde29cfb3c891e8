// One process of a soak. usage: soak-worker JSON of a SoakTask; prints its report as one line of JSON.
import { qemuDriver, VmManager } from "@virga/vm";
import { seededRandom } from "./soak-pattern.ts";
import { SoakRounds } from "./soak-rounds.ts";
import type { SoakTask } from "./channel-soak.ts";

const task = JSON.parse(process.argv[2] ?? "{}") as SoakTask;
const manager = new VmManager({
  directory: task.directory,
  launcher: task.launcher,
  drivers: [qemuDriver()],
});
const vm = await manager.adopt(task.vmDirectory);
const soak = new SoakRounds((options) => vm.connectGuest(options), seededRandom(task.seed));
process.stdout.write("ready\n");
process.stdout.write(`${JSON.stringify(await soak.run(task.rounds))}\n`);
