// An agent that forks its sandbox before each risky step, tries all it can think of side by side, and goes on in the branch that came out best.
// What it "thinks of" is a list here; a real one would ask a model.
import { Sandbox } from "virga";

const GOAL = 40;
const STEPS = 3;
const ideas = ["echo $(( $(cat n) * 3 )) > n", "echo $(( $(cat n) + 4 )) > n", "rm -r /work"];

let current = await Sandbox.create({ memoryMib: 128 });
try {
  await current.run(["sh", "-c", "mkdir /work; echo 4 > /work/n"]);
  for (let step = 1; step <= STEPS; step++) {
    const branches = await current.fork(ideas.length);
    const results = await Promise.all(
      branches.map(async (branch, index) => {
        const command = ["sh", "-c", `${ideas[index]}; cat n`];
        const { exitCode, stdout } = await branch.run(command, { cwd: "/work", reject: false });
        // A step that broke everything broke it in its own branch only.
        const distance = exitCode === 0 ? Math.abs(GOAL - Number(stdout)) : Infinity;
        return { branch, idea: ideas[index], distance };
      }),
    );
    const [best, ...others] = results.toSorted((a, b) => a.distance - b.distance);
    if (best === undefined) break;
    await Promise.all([current, ...others.map(({ branch }) => branch)].map((one) => one.destroy()));
    current = best.branch;
    console.log(`step ${step}: ${best.idea} (${best.distance} to go)`);
  }
  console.log("reached", (await current.run(["cat", "/work/n"])).stdout.trim());
} finally {
  await current.destroy();
}
