import { rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { openHome, withFreshLists, withSetupLock, withUnpackedPackages } from "@virga/sandbox";

/** Fetches Debian packages, once per machine, and gives the folder `name` of the state directory that they are in. They are unpacked, not installed. */
export async function unpackedPackages(
  name: string,
  packages: readonly [string, ...string[]],
): Promise<string> {
  const home = await openHome();
  const directory = join(home.state, name);
  return withSetupLock(home, async () => {
    const isThere = await stat(directory).then(
      () => true,
      () => false,
    );
    if (!isThere) {
      await withFreshLists(() =>
        withUnpackedPackages([...packages], { directory: home.state }, ({ tree }) =>
          rename(tree, directory),
        ),
      );
    }
    return directory;
  });
}
