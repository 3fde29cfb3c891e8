import { describe, test } from "node:test";
import { imageToolsMissing, makePlace, removePlace } from "@virga/testkit";
import { LifeStory } from "./life-story.ts";
import { testVirga } from "./test-virga.ts";

const hypervisor = process.env["VIRGA_LAB_DRIVER"] === "qemu" ? "qemu" : "cloud-hypervisor";
const skip = imageToolsMissing("sqfstar", "mke2fs", "skopeo");

describe(`the command line alone, on ${hypervisor} with KVM`, { skip }, () => {
  test("an image becomes a sandbox that is used, forked, suspended, resumed and removed", async (t) => {
    const place = makePlace();
    t.after(() => removePlace(place));
    const virga = await testVirga(place);
    await new LifeStory(place, () => virga, hypervisor).brief();
  });
});
