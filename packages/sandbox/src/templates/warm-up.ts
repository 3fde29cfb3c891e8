import type { AgentClient } from "@virga/guest";
import { VirgaError } from "@virga/vm";
import type { Logger } from "@virga/vm";
import { GuestCommands } from "../commands/guest-commands.ts";
import { identityOf } from "../guest/guest-agent.ts";
import type { Image } from "../images/image.ts";

/** Where a guest sees the processes of users, in groups of their own. */
const USERS = "/sys/fs/cgroup";
const DEEPEST = 16;
const MOST_NAMED = 10;

/** What runs in a guest before the template is taken of it. */
export interface WarmUp {
  /** Program and arguments. */
  readonly command: readonly string[];
  /** Whether processes that it leaves belong to the template, and so to every clone. */
  readonly keep: boolean;
}

/** What the warm-up of a template needs. */
export interface WarmUpOptions {
  readonly agent: AgentClient;
  readonly image: Image;
  readonly warm: WarmUp;
  readonly logger: Logger;
  readonly signal: AbortSignal | undefined;
}

/**
 * Runs the warm-up command, as the image's user in its directory. `COMMAND_FAILED` when it fails; `INVALID_CONFIG` names the processes that it leaves, unless they
 * are to be kept: what they hold in their memory, such as random numbers, would be the same in every clone.
 */
export async function warmUp(options: WarmUpOptions): Promise<void> {
  const { agent, image, warm, logger, signal } = options;
  const abort = { ...(signal && { signal }) };
  await agent.init(identityOf("template", image.environment), abort);
  const commands = new GuestCommands({
    agent: () => agent,
    image,
    env: image.environment,
    explain: async (_what, error) => error,
    logger,
  });
  await commands.run(warm.command, abort);
  if (warm.keep) return;
  const left = await processesOf(agent);
  if (left.length === 0) return;
  throw new VirgaError(
    "INVALID_CONFIG",
    `The warm-up command ${warm.command[0] ?? ""} leaves processes: ${left.slice(0, MOST_NAMED).join(", ")}`,
    {
      details: { command: warm.command, processes: left },
      hint: "Let it end them; or keep them in every clone with warmKeep, their random numbers included.",
    },
  );
}

/** The users' processes, as `12 (python3)`. */
async function processesOf({ files }: AgentClient): Promise<string[]> {
  const lists: string[] = [];
  for await (const { path } of files.list(USERS, { depth: DEEPEST })) {
    const name = String(path);
    if (/(?:^|\/)cgroup\.procs$/u.test(name)) lists.push(`${USERS}/${name}`);
  }
  const pids = new Set<string>();
  for (const list of lists) {
    // A group goes with its last process.
    const text = await files.readText(list).catch(() => "");
    for (const pid of text.split("\n")) if (/^[1-9]\d*$/u.test(pid)) pids.add(pid);
  }
  const named: string[] = [];
  for (const pid of pids) {
    const name = await files.readText(`/proc/${pid}/comm`).catch(() => undefined);
    if (name !== undefined) named.push(`${pid} (${name.trim()})`);
  }
  return named;
}
