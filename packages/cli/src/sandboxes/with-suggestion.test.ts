import assert from "node:assert/strict";
import { test } from "node:test";
import { VirgaError } from "@virga/vm";
import { withSuggestion } from "./with-suggestion.ts";

const absent = (name: string): (() => Promise<never>) => {
  const error = new VirgaError("VM_NOT_FOUND", `VM not found: ${name}`, { hint: "See: virga ls" });
  return () => Promise.reject(error);
};
const names = (): Promise<string[]> => Promise.resolve(["web", "worker", "database"]);

test("a name that is nearly one is guessed", async () => {
  for (const [typed, meant] of [
    ["wbe", "web"],
    ["we", "web"],
    ["workers", "worker"],
    ["datbaase", "database"],
  ] as const) {
    await assert.rejects(withSuggestion(typed, absent(typed), names), {
      code: "VM_NOT_FOUND",
      message: `VM not found: ${typed}`,
      hint: `Did you mean ${meant}?`,
    });
  }
});

test("no guess, and no names, keep the error as it is", async () => {
  const same = { code: "VM_NOT_FOUND", hint: "See: virga ls" };
  await assert.rejects(withSuggestion("mail", absent("mail"), names), same);
  const none = (): Promise<never> => Promise.reject(new Error("no catalogue"));
  await assert.rejects(withSuggestion("wbe", absent("wbe"), none), same);
  const other = new VirgaError("IO_ERROR", "x");
  await assert.rejects(
    withSuggestion("wbe", () => Promise.reject(other), names),
    (e) => e === other,
  );
  assert.equal(await withSuggestion("wbe", async () => 1, names), 1);
});
