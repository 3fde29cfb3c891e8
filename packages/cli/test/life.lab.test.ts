import { after, before, describe, test } from "node:test";
import { cloudHypervisorMissing, imageToolsMissing, makePlace, removePlace } from "@virga/testkit";
import { BriefStory } from "./brief-story.ts";
import { testVirga } from "./test-virga.ts";
import type { TestVirga } from "./test-virga.ts";

const skip = cloudHypervisorMissing() || imageToolsMissing("sqfstar", "mke2fs", "skopeo");

describe("the command line alone, on Cloud Hypervisor", { skip }, () => {
  const place = makePlace();
  let virga: TestVirga;
  const story = new BriefStory(place, () => virga, "cloud-hypervisor");

  before(async () => {
    virga = await testVirga(place, { isBuilt: true });
  });

  after(() => removePlace(place));

  for (const [name, tell] of story.chapters) test(name, tell);
});
