import assert from "node:assert/strict";
import { test } from "node:test";
import { factsText } from "./facts.ts";

test("facts stand in two columns, and cannot drive the terminal", () => {
  const text = factsText({
    id: "a",
    name: null,
    empty: "",
    list: [1],
    flag: false,
    evil: "\u001b[2J",
  });
  assert.equal(text, "id     a\nname   -\nempty  -\nlist   [1]\nflag   false\nevil   ?[2J");
});
