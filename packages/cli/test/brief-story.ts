import assert from "node:assert/strict";
import { mkdir, readFile, readlink, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { settledLeaks } from "@virga/testkit";
import type { TestPlace } from "@virga/testkit";
import { layeredImage } from "./layered-image.ts";
import type { SandboxFacts, TestVirga } from "./test-virga.ts";

// Counts by itself until the sandbox ends. What is read in the midst of a write is empty, and no count.
const COUNT = "i=0; while :; do i=$((i+1)); echo $i > count; sleep 0.05; done";
const GOES_ON = `old=$(cat count); while new=$(cat count); [ -z "$new" ] || [ "$new" = "$old" ]; do sleep 0.05; done`;

/**
 * The shortest way through a sandbox's life, each command a process of its own, for machines on which one takes seconds to start: each does as much as it can.
 */
export class BriefStory {
  readonly #place: TestPlace;
  readonly #virga: () => TestVirga;
  readonly #hypervisor: string;
  #child = "";

  constructor(place: TestPlace, virga: () => TestVirga, hypervisor: string) {
    this.#place = place;
    this.#virga = virga;
    this.#hypervisor = hypervisor;
  }

  /** All of it; each part needs those before it. */
  get chapters(): readonly (readonly [name: string, tell: () => Promise<void>])[] {
    return [
      ["an image of three layers is pulled", () => this.#pulls()],
      ["a sandbox is made of it", () => this.#creates()],
      ["commands run in it, and a tree is copied into it and out of it", () => this.#uses()],
      ["a fork goes on from what it is, for itself", () => this.#forks()],
      ["suspended and resumed it goes on where it was", () => this.#suspendsAndResumes()],
      ["all are removed, and nothing is left", () => this.#removes()],
    ];
  }

  #path(name: string): string {
    return join(this.#place.scratch, name);
  }

  #sh(sandbox: string, script: string): Promise<string> {
    return this.#virga().ok(["exec", sandbox, "--", "sh", "-c", script]);
  }

  async #pulls(): Promise<void> {
    await layeredImage(this.#path("layout"));
    await this.#virga().ok(["image", "pull", `oci:${this.#path("layout")}`, "--name", "app"]);
  }

  async #creates(): Promise<void> {
    const shape = ["--hypervisor", this.#hypervisor, "--memory", "128", "--disk", "256"];
    const words = ["create", "--name", "box", "--image", "app", ...shape];
    const made = await this.#virga().json<SandboxFacts>(...words);
    const { name, state, image, hypervisor, accelerator, restoreMode } = made;
    assert.deepEqual(
      { name, state, image, hypervisor, accelerator, restoreMode },
      {
        name: "box",
        state: "running",
        image: "app",
        hypervisor: this.#hypervisor,
        accelerator: "kvm",
        restoreMode: "shared",
      },
    );
  }

  async #uses(): Promise<void> {
    const tree = this.#path("tree");
    await mkdir(join(tree, "sub"), { recursive: true });
    await writeFile(join(tree, "sub/run"), "#!/bin/sh\necho ran\n", { mode: 0o755 });
    await symlink("sub/run", join(tree, "link"));
    await this.#virga().ok(["cp", tree, "box:/srv/tree"]);
    const counts = `(${COUNT}) > /dev/null 2>&1 & until [ -s count ]; do sleep 0.05; done`;
    const script = `cat; cat note; ls; tree/link; echo parent > who; ${counts}; exit 7`;
    const end = await this.#virga().run(["exec", "box", "--", "sh", "-c", script], "in\n");
    assert.deepEqual(end, {
      code: 7,
      signal: null,
      stdout: "in\nthird layer\nnote\ntree\nran\n",
      stderr: "",
    });
    const back = this.#path("back");
    await this.#virga().ok(["cp", "box:/srv/tree", back]);
    assert.equal(await readFile(join(back, "sub/run"), "utf8"), "#!/bin/sh\necho ran\n");
    assert.equal(await readlink(join(back, "link")), "sub/run");
  }

  async #forks(): Promise<void> {
    const [child, ...others] = await this.#virga().json<SandboxFacts[]>("fork", "box");
    assert.ok(child !== undefined && others.length === 0);
    assert.match(child.parent ?? "", /^i[a-z0-9]{19}$/);
    assert.deepEqual([child.state, child.restoreMode], ["running", "shared"]);
    this.#child = child.id;
    const script = `cat who note; ${GOES_ON}; echo child > who`;
    assert.equal(await this.#sh(child.id, script), "parent\nthird layer\n");
  }

  async #suspendsAndResumes(): Promise<void> {
    const { state, pid } = await this.#virga().json<SandboxFacts>("suspend", "box");
    assert.deepEqual([state, pid], ["suspended", null]);
    const resumed = await this.#virga().json<SandboxFacts>("resume", "box");
    assert.equal(resumed.state, "running");
    assert.equal(await this.#sh("box", `cat who; ${GOES_ON}`), "parent\n");
  }

  async #removes(): Promise<void> {
    assert.equal(await this.#virga().ok(["rm", "box", this.#child]), `box\n${this.#child}\n`);
    await this.#virga().ok(["image", "rm", "app"]);
    assert.deepEqual(await this.#virga().leftovers(), []);
    assert.deepEqual(await settledLeaks(this.#place), []);
  }
}
