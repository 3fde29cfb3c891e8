import assert from "node:assert/strict";
import { mkdir, readFile, readlink, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { settledLeaks } from "@virga/testkit";
import type { TestPlace } from "@virga/testkit";
import { layeredImage } from "./layered-image.ts";
import { useShell } from "./terminal-user.ts";
import type { SandboxFacts, TestVirga, VirgaEnd } from "./test-virga.ts";

/** What a user does with sandboxes, each command a process of its own: what one leaves, the next finds. */
export class LifeStory {
  readonly #place: TestPlace;
  readonly #virga: () => TestVirga;
  readonly #shape: readonly string[];

  constructor(place: TestPlace, virga: () => TestVirga, hypervisor: string) {
    this.#place = place;
    this.#virga = virga;
    this.#shape = ["--hypervisor", hypervisor, "--memory", "128", "--disk", "256"];
  }

  /** All of it; each part needs those before it. */
  get chapters(): readonly (readonly [name: string, tell: () => Promise<void>])[] {
    return [
      ["an image is pulled, and a sandbox made of it and found", () => this.#pullsAndCreates()],
      ["commands run in it, also by themselves", () => this.#runsCommands()],
      ["a shell in it is a real terminal", () => this.#opensShell()],
      ["trees are copied into it and out of it", () => this.#copies()],
      ["forks go on from what it is, each for itself", () => this.#forks()],
      ["paused and suspended it goes on where it was", () => this.#suspendsAndResumes()],
      ["a snapshot of it becomes another sandbox", () => this.#snapshots()],
      ["all are removed, and nothing is left", () => this.#removes()],
    ];
  }

  #ok(args: readonly string[], input = ""): Promise<string> {
    return this.#virga().ok(args, input);
  }

  #json<T = SandboxFacts>(...args: readonly string[]): Promise<T> {
    return this.#virga().json<T>(...args);
  }

  async #fails(args: readonly string[]): Promise<VirgaEnd> {
    const end = await this.#virga().run(args);
    assert.notEqual(end.code, 0, args.join(" "));
    return end;
  }

  async #states(): Promise<Record<string, string>> {
    const all = await this.#json<SandboxFacts[]>("ls");
    return Object.fromEntries(all.map(({ id, name, state }) => [name ?? id, state]));
  }

  async #pullsAndCreates(): Promise<void> {
    const layout = join(this.#place.scratch, "layout");
    await layeredImage(layout);
    await this.#ok(["image", "pull", `oci:${layout}`, "--name", "app"]);
    const made = await this.#json("create", "--name", "box", "--image", "app", ...this.#shape);
    assert.match(made.id, /^i[a-z0-9]{19}$/);
    const { name, state, image, vcpus, memoryMib, parent, restoreMode, restoreReason } =
      await this.#json("info", made.id.slice(0, 10));
    assert.deepEqual(
      { name, state, image, vcpus, memoryMib, parent },
      { name: "box", state: "running", image: "app", vcpus: 1, memoryMib: 128, parent: null },
    );
    assert.ok(restoreMode && restoreReason);
    assert.equal((await this.#fails(["create", "--name", "box"])).code, 125);
    const mistyped = await this.#fails(["info", "bxo"]);
    assert.equal(mistyped.stderr, "virga: VM not found: bxo\nvirga: Did you mean box?\n");
    assert.match(await this.#ok(["ls"]), /^box +\w{8} +running +app /m);
  }

  async #runsCommands(): Promise<void> {
    const script = 'cat; cat note; ls; echo "$GREETING $A"; echo $PWD; exit 7';
    const end = await this.#virga().run(
      ["exec", "-e", "A=b", "box", "--", "sh", "-c", script],
      "in\n",
    );
    assert.deepEqual(end, {
      code: 7,
      signal: null,
      stdout: "in\nthird layer\nnote\nhello b\n/srv\n",
      stderr: "",
    });
    const count = "i=0; while :; do i=$((i+1)); echo $i > /srv/count; sleep 0.05; done";
    const started = await this.#ok(["exec", "-d", "--json", "box", "sh", "-c", count]);
    assert.ok(JSON.parse(started).pid > 0);
    const { processes } = await this.#json<{ readonly processes: number }>("stats", "box");
    assert.ok(processes > 1);
    assert.deepEqual(await this.#ok(["shell", "box"], "echo $0; exit 0\n"), "sh\n");
  }

  async #opensShell(): Promise<void> {
    const { argv, env } = this.#virga();
    await useShell([...argv, "shell", "box"], env);
  }

  async #copies(): Promise<void> {
    const tree = join(this.#place.scratch, "tree");
    await mkdir(join(tree, "sub"), { recursive: true });
    await writeFile(join(tree, "sub/run"), "#!/bin/sh\necho ran\n", { mode: 0o755 });
    await symlink("sub/run", join(tree, "link"));
    await this.#ok(["cp", tree, "box:/srv/tree"]);
    assert.equal(await this.#ok(["exec", "box", "tree/link"]), "ran\n");
    const back = join(this.#place.scratch, "back");
    await this.#ok(["cp", "box:/srv/tree", back]);
    assert.equal(await readFile(join(back, "sub/run"), "utf8"), "#!/bin/sh\necho ran\n");
    assert.equal((await stat(join(back, "sub/run"))).mode & 0o777, 0o755);
    assert.equal(await readlink(join(back, "link")), "sub/run");
    assert.equal((await this.#fails(["cp", tree, back])).code, 2);
    await this.#ok(["cp", "-", "box:/srv/new/file"], "from standard input\n");
    assert.equal(await this.#ok(["cp", "box:/srv/new/file", "-"]), "from standard input\n");
  }

  /** How far it has counted; 0 before its first write. */
  async #count(name: string): Promise<number> {
    const script = "[ ! -e count ] || cat count";
    return Number(await this.#ok(["exec", name, "sh", "-c", script]));
  }

  /** What runs goes on. */
  async #counts(name: string): Promise<void> {
    const before = await this.#count(name);
    while ((await this.#count(name)) <= before);
  }

  async #forks(): Promise<void> {
    await this.#ok(["exec", "box", "sh", "-c", "echo parent > who; sync"]);
    const children = await this.#json<SandboxFacts[]>("fork", "box", "--count", "2");
    assert.equal(children.length, 2);
    const { id } = await this.#json("info", "box");
    for (const child of children) {
      assert.deepEqual([child.parent, child.state], [id, "running"]);
      assert.equal(await this.#ok(["exec", child.id, "cat", "who"]), "parent\n");
      await this.#ok(["exec", child.id, "sh", "-c", `echo ${child.id} > who`]);
      await this.#counts(child.id);
    }
    for (const child of children) {
      assert.equal(await this.#ok(["exec", child.id, "cat", "who"]), `${child.id}\n`);
    }
    assert.equal(await this.#ok(["exec", "box", "cat", "who"]), "parent\n");
    await this.#counts("box");
    await this.#ok(["rm", ...children.map((child) => child.id)]);
    assert.deepEqual(await this.#states(), { box: "running" });
  }

  async #suspendsAndResumes(): Promise<void> {
    await this.#ok(["pause", "box"]);
    const refused = await this.#fails(["exec", "box", "true"]);
    assert.match(
      refused.stderr,
      /^virga: Cannot .*"box" is paused\nvirga: Resume it first: .*resume box\n$/,
    );
    await this.#ok(["resume", "box"]);
    await this.#counts("box");
    await this.#ok(["suspend", "box"]);
    assert.deepEqual(await this.#states(), { box: "suspended" });
    assert.equal((await this.#json("info", "box")).pid, null);
    await this.#ok(["resume", "box"]);
    assert.equal(await this.#ok(["exec", "box", "cat", "who"]), "parent\n");
    await this.#counts("box");
  }

  async #snapshots(): Promise<void> {
    await this.#ok(["snapshot", "create", "box", "--name", "ready"]);
    await this.#counts("box");
    const listed = await this.#json<SandboxFacts[]>("snapshot", "ls");
    assert.deepEqual(
      listed.map(({ name, state }) => [name, state]),
      [["ready", "ready"]],
    );
    const { timings } = await this.#json("info", "box");
    const operations = ["create", "fork", "pause", "resume", "snapshot", "suspend"];
    assert.deepEqual(Object.keys(timings).toSorted(), operations);
    assert.ok((timings["snapshot"]?.["disk"] ?? 0) > 0, "the disk's share of the stop");
    await this.#ok(["create", "--name", "again", "--snapshot", "ready"]);
    await this.#counts("again");
    const needed = await this.#fails(["snapshot", "rm", "ready"]);
    assert.match(needed.stderr, /again/);
    await this.#ok(["rm", "again"]);
    await this.#ok(["snapshot", "rm", "ready"]);
  }

  async #removes(): Promise<void> {
    assert.equal((await this.#fails(["rm", "--all"])).code, 2, "nobody can be asked");
    const logs = await this.#json<Record<string, unknown>>("logs", "box");
    assert.deepEqual(Object.keys(logs), ["console", "hypervisor"]);
    assert.equal(await this.#ok(["rm", "--all", "--yes"]), "box\n");
    assert.deepEqual(await this.#states(), {});
    assert.deepEqual(await this.#json("snapshot", "ls"), []);
    await this.#ok(["image", "rm", "app"]);
    await this.#leavesNothing();
  }

  async #leavesNothing(): Promise<void> {
    assert.deepEqual(await this.#virga().leftovers(), []);
    assert.deepEqual(await settledLeaks(this.#place), []);
  }
}
