// Preloaded into each test file's process: ends it when its tests are done but something (a timer, a server, a child) keeps it alive. Node's own
// --test-force-exit does so at once, and cuts off results that have not been handed over yet.
import { after } from "node:test";

const GRACE_MS = 5_000;

if (process.env["NODE_TEST_CONTEXT"] === "child-v8") {
  after(() => {
    // Not counted as a reason to stay alive itself: a file that ends by itself ends now.
    setTimeout(() => {
      process.stderr.write(
        `${process.argv[1] ?? "a test file"}: its tests are done, but it stays alive: ${process.getActiveResourcesInfo().join(", ")}\n`,
      );
      process.exit(1);
    }, GRACE_MS).unref();
  });
}
