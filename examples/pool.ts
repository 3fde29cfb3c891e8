// A pool of ten sandboxes that work off a list of tasks. Each task gets a fresh one: what a task leaves behind goes with its sandbox.
import { Host, Sandbox } from "virga";

const SIZE = 10;
const host = await Host.open();
const make = (): Promise<Sandbox> => Sandbox.create({ host, memoryMib: 128 });
// The first sandbox of a kind makes its template.
await (await make()).destroy();

const tasks = Array.from({ length: 20 }, (_, index) => index + 1);
const answers = new Map<number, number>();

async function worker(): Promise<void> {
  // The next one is made while the task runs.
  let next = make();
  for (let task = tasks.shift(); task !== undefined; task = tasks.shift()) {
    await using sandbox = await next;
    next = make();
    const { stdout } = await sandbox.run(["sh", "-c", "echo $(( $0 * $0 ))", String(task)]);
    answers.set(task, Number(stdout));
  }
  await (await next).destroy();
}

await Promise.all(Array.from({ length: SIZE }, worker));
for (const [task, answer] of [...answers].toSorted(([a], [b]) => a - b)) console.log(task, answer);
