import type { AgentClient } from "@virga/guest";
import type { HypervisorName } from "@virga/vm";
import type { Bench } from "../bench.ts";
import { timed } from "../timed.ts";
import { VmFixture, agentOf } from "../vm/fixture.ts";
import { runCommand } from "../vm/run-command.ts";

const kept = "exec round trip";
const fresh = "exec round trip on a new connection";
const names = [kept, fresh];
const trivial = ["/bin/true"];
const loops = 100;

/** The guest's clock tells hundredths of a second: a loop is as long as it must be for that to be enough. */
const loop = `n=0; read a b </proc/uptime; while [ $n -lt ${loops} ]; do ${trivial.join(" ")}; n=$((n+1)); done; read c d </proc/uptime; echo $a $c`;

/** What running a command from outside costs over what the guest itself needs to fork and exec it. */
export function vmExec(hypervisor: HypervisorName): Bench {
  return {
    name: "exec",
    about: `${trivial.join(" ")} on ${hypervisor} from request to exit code; raw is a shell in the guest that runs it ${loops} times, divided by ${loops}`,
    open: async () => {
      const fixture = await VmFixture.open(hypervisor);
      const vm = await fixture.manager.create(fixture.config());
      const agent = agentOf(vm);
      await agent.init();
      return {
        measures: names.map((name) => ({
          name,
          unit: "ms" as const,
          aim: { of: "difference", most: 2 } as const,
        })),
        raw: async () => {
          const ms = await forkAndExec(agent);
          return { [kept]: ms, [fresh]: ms };
        },
        virga: async () => {
          const keptMs = await timed(() => runCommand(agent, trivial));
          await using stranger = agentOf(vm);
          return { [kept]: keptMs, [fresh]: await timed(() => runCommand(stranger, trivial)) };
        },
        close: async () => {
          await agent.close();
          await fixture.close();
        },
      };
    },
  };
}

async function forkAndExec(agent: AgentClient): Promise<number> {
  const output = await runCommand(agent, ["/bin/sh", "-c", loop]);
  const [from, to] = output.trim().split(" ").map(Number);
  if (from === undefined || to === undefined) throw new Error(`the guest said ${output}`);
  return ((to - from) * 1000) / loops;
}
