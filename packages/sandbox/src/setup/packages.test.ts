import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, readFile, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { usePathPrograms, useTemporaryDirectory } from "@virga/testkit";
import { VirgaError } from "@virga/vm";
import { installPackages, withFreshLists } from "./packages.ts";

const DAY_S = 24 * 3600;

async function useApt(t: TestContext, script: string, listsAgeDays?: number) {
  const directory = await useTemporaryDirectory(t);
  const lists = join(directory, "lists");
  await mkdir(lists);
  if (listsAgeDays !== undefined) {
    const time = Date.now() / 1000 - listsAgeDays * DAY_S;
    await writeFile(join(lists, "archive_InRelease"), "");
    await utimes(join(lists, "archive_InRelease"), time, time);
    await utimes(lists, time, time);
  }
  const calls = join(directory, "calls");
  await writeFile(calls, "");
  await usePathPrograms(t, directory, { "apt-get": `echo "$*" >> ${calls}\n${script}` });
  return {
    options: { root: true, listsDirectory: lists },
    calls: async () =>
      (await readFile(calls, "utf8"))
        .trim()
        .split("\n")
        .map(
          (line) => `${line.split(" ")[0]}${line.includes("--download-only") ? " download" : ""}`,
        ),
  };
}

test("packages are downloaded, then installed", async (t) => {
  const { options, calls } = await useApt(t, "", 1);
  await installPackages(["one", "two"], options);
  assert.deepEqual(await calls(), ["install download", "install"]);
});

test("an installation goes on to its end when the process is killed that asked for it", async (t) => {
  const place = await useTemporaryDirectory(t);
  const [begun, go, done] = ["begun", "go", "done"].map((name) => join(place, name)) as [
    string,
    string,
    string,
  ];
  // Programs that die when nobody takes what they say, as dpkg does.
  const says = "/bin/echo words || exit 1; /bin/echo complaint >&2 || exit 1";
  const waits = `: > ${begun}; until [ -e ${go} ]; do sleep 0.02; done`;
  const install = `${waits}; ${says}; ${says}; : > ${done}`;
  const { options } = await useApt(t, `case "$*" in *download-only*) ;; *) ${install};; esac`, 1);
  const module = new URL("./packages.ts", import.meta.url).href;
  const program = `const { installPackages } = await import(${JSON.stringify(module)});
    await installPackages(["one"], ${JSON.stringify(options)});`;
  const flags = ["--conditions=virga-source", "--input-type=module", "--eval", program];
  const child = spawn(process.execPath, flags, { stdio: "inherit" });
  const closed = once(child, "close");
  while (!existsSync(begun)) await sleep(5);
  child.kill("SIGKILL");
  await closed;
  await writeFile(go, "");
  while (!existsSync(done)) await sleep(5);
});

test("lists are fetched first when there are none or they are old", async (t) => {
  for (const age of [undefined, 8]) {
    const { options, calls } = await useApt(t, "", age);
    await installPackages(["one"], options);
    assert.deepEqual(await calls(), ["update", "install download", "install"]);
  }
});

test("old lists do when new ones cannot be had, none do not", async (t) => {
  const offline = 'case "$1" in update) echo "E: no network" >&2; exit 100;; esac';
  const old = await useApt(t, offline, 8);
  await installPackages(["one"], old.options);
  const none = await useApt(t, offline);
  await assert.rejects(installPackages(["one"], none.options), /update the lists.*no network/s);
  assert.deepEqual(await none.calls(), ["update"]);
});

test("a package that the lists name and the archive no longer has is tried again with new lists, once", async (t) => {
  const { options, calls } = await useApt(
    t,
    'case "$1" in install) echo "E: 404  Not Found" >&2; exit 100;; esac',
    2,
  );
  await assert.rejects(
    installPackages(["one"], options),
    (error) =>
      error instanceof VirgaError && error.code === "SETUP_FAILED" && error.message.includes("404"),
  );
  assert.deepEqual(await calls(), ["install download", "update", "install download"]);
});

test("just fetched lists are not fetched again, and nobody but root fetches any", async (t) => {
  const { options, calls } = await useApt(t, "", 0);
  const fails = async (): Promise<never> => {
    throw new VirgaError("SETUP_FAILED", "no");
  };
  await assert.rejects(withFreshLists(fails, options), /^VirgaError: no$/);
  await assert.rejects(withFreshLists(fails, { ...options, root: false }), /^VirgaError: no$/);
  assert.deepEqual(await calls(), [""]);
});
