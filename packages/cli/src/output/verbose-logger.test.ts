import assert from "node:assert/strict";
import { test } from "node:test";
import { verboseLogger } from "./verbose-logger.ts";

test("a record is one line that cannot drive the terminal", (t) => {
  const { mock } = t.mock.method(process.stderr, "write", () => true);
  verboseLogger.warn({ vm: "a", error: new Error("bad\n\u001b[2J\u009b2J") }, "it failed");
  const lines = mock.calls.map((call) => String(call.arguments[0]));
  mock.restore();
  assert.deepEqual(lines, ['virga: warn: it failed {"vm":"a","error":"bad\\n\\u001b[2J?2J"}\n']);
});
