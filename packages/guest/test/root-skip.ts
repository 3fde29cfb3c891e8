import { prerequisite } from "@virga/testkit";

/** Reason to skip what becomes another user. */
export const rootSkip: false | string = prerequisite(
  "root",
  process.getuid?.() === 0 ? undefined : "becoming another user needs uid 0",
);
