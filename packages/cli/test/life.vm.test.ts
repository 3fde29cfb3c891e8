import { after, before, describe, test } from "node:test";
import {
  imageToolsMissing,
  makePlace,
  pythonMissing,
  qemuMissing,
  removePlace,
} from "@virga/testkit";
import { LifeStory } from "./life-story.ts";
import { testVirga } from "./test-virga.ts";
import type { TestVirga } from "./test-virga.ts";

const skip = qemuMissing() || imageToolsMissing("sqfstar", "mke2fs", "skopeo") || pythonMissing();

describe("the command line alone, on QEMU", { skip }, () => {
  const place = makePlace();
  let virga: TestVirga;
  const story = new LifeStory(place, () => virga, "qemu");

  before(async () => {
    virga = await testVirga(place);
  });

  after(() => removePlace(place));

  for (const [name, tell] of story.chapters) test(name, tell);
});
