import assert from "node:assert/strict";
import type { Host, Sandbox } from "@virga/sandbox";
import type { Access } from "../../src/life/access.ts";
import { hammerGuests } from "./hammer-host.ts";
import { writeModel } from "./hammer-model.ts";
import type { HammerModel } from "./hammer-model.ts";
import type { HammerRun } from "./hammer-run.ts";

/** Where one process stands. */
export interface HammerWorker {
  readonly run: HammerRun;
  readonly model: HammerModel;
  readonly host: Host & Access;
  /** Tells what is done, for whoever looks into a failure. */
  readonly tell: (text: string) => void;
}

/** A number from 0 to `limit` - 1, always the same for one operation of one process, and one name. */
export type Lot = (name: string, limit: number) => number;

/** Notes what is begun, does it, and notes how the model is after it. */
export async function step(
  { run, model, tell }: HammerWorker,
  operation: string,
  subject: string,
  body: () => Promise<unknown>,
  token = "",
): Promise<void> {
  model.doubt = { operation, subject, token };
  model.begun++;
  writeModel(run.model, model);
  tell(`${model.begun}: ${operation} ${subject}`);
  await body();
  model.doubt = null;
  writeModel(run.model, model);
}

/** What is this process's own answers as it must, in every state. */
export async function askOwn(
  { run, model }: Pick<HammerWorker, "run" | "model">,
  sandbox: Sandbox,
  name: string,
): Promise<void> {
  const { token, state } = model.sandboxes[name] ?? assert.fail(`${name} is in no model`);
  const { recall } = hammerGuests(run);
  if (state === "running") {
    assert.equal((await sandbox.run(recall)).stdout, `${token}\n`, name);
  } else await assert.rejects(sandbox.run(recall), { code: "INVALID_STATE" }, name);
  assert.equal((await sandbox.info()).state, state, name);
}

/** What it gives; undefined where it failed for what others may cause. */
export async function allow<T>(
  what: string,
  codes: readonly string[],
  body: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await body();
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    if (codes.includes(code)) return undefined;
    throw new Error(`${what} failed with ${code || "no code"}: ${String(error)}`, { cause: error });
  }
}
