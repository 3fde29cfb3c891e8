import { execFile } from "node:child_process";
import { chmod, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { promisify } from "node:util";
import { fakeModule, useTemporaryDirectory } from "@virga/testkit";
import type { Home } from "../src/home.ts";
import { homePaths } from "../src/home.ts";
import { GUEST_MODULES } from "../src/setup/kernel/guest-modules.ts";
import type { SetupMachine } from "../src/setup/setup-context.ts";

const RELEASE = "6.12.9-cloud";
const busyboxSource = `#include <stdio.h>
int main(void) { puts("bin/sh\\nbin/true"); return 0; }
`;

/** A machine with nothing on its PATH but a shell, its usual companions, and a package manager that takes packages from a folder. */
export interface FakeMachine {
  readonly home: Home;
  readonly machine: SetupMachine;
  /** The only folder on the PATH. */
  readonly bin: string;
  /** Replaces a program of the machine by a shell script. */
  program(name: string, script: string): Promise<void>;
  /** The calls of the package manager so far, as typed. */
  calls(): Promise<string[]>;
  /** The files of the package `name`, as they would lie below `/`. */
  tree(name: string): string;
  /** Makes this the kernel that the distribution has. */
  offerKernel(release: string): Promise<void>;
}

/** Makes a fake machine and sets this process's PATH to it until the test ends. */
export async function useFakeMachine(t: TestContext): Promise<FakeMachine> {
  const directory = await useTemporaryDirectory(t);
  const at = (...names: string[]): string => join(directory, ...names);
  const bin = at("bin");
  const tree = (name: string): string => at("packages", name);
  await mkdir(bin);
  await mkdir(at("lists"));
  for (const name of ["sh", "cat", "cp", "touch", "chmod", "basename", "sleep", "mkdir", "test"]) {
    await symlink(join("/bin", name), join(bin, name));
  }
  const program = async (name: string, script: string): Promise<void> => {
    await writeFile(join(bin, name), `#!/bin/sh\necho "${name} $*" >> ${at("calls")}\n${script}\n`);
    await chmod(join(bin, name), 0o755);
  };
  await writeFile(at("calls"), "");
  await mkdir(join(tree("busybox-static"), "bin"), { recursive: true });
  await writeFile(at("busybox.c"), busyboxSource);
  await promisify(execFile)("musl-gcc", [
    "-static",
    "-o",
    join(tree("busybox-static"), "bin/busybox"),
    at("busybox.c"),
  ]);
  await mkdir(at("carried"));
  for (const name of ["agent", "launcher", "passt-guard"]) {
    await writeFile(at("carried", `virga-${name}`), name, { mode: 0o755 });
  }
  await program(
    "apt-cache",
    `for last; do :; done
release="$(cat ${at("release")})"
case "$last" in linux-image-cloud-*) echo "$last"; echo "  Depends: linux-image-$release";; linux-image-$release) echo "Package: $last"; echo "Version: 6.12.9-1";; *) exit 100;; esac`,
  );
  const offerKernel = async (release: string): Promise<void> => {
    await kernelPackage(tree(`linux-image-${release}`), release);
    await writeFile(at("release"), `${release}\n`);
  };
  await offerKernel(RELEASE);
  await program("apt-get", aptGet(bin, at("lists")));
  await program(
    "dpkg-deb",
    `name="$(basename "$2" .deb)"
case "$1" in -f) echo "Package: $name"; echo "Version: 6.12.9-1";; -x) mkdir -p "$3"; cp -r "${at("packages")}/$name/." "$3";; esac`,
  );
  const before = process.env["PATH"];
  process.env["PATH"] = bin;
  t.after(() => {
    process.env["PATH"] = before;
  });
  return {
    home: homePaths({ env: { VIRGA_HOME: at("home") }, uid: 0, userHome: "/root" }),
    machine: {
      root: true,
      nativeSources: { carried: at("carried"), checkout: at("no-checkout") },
      listsDirectory: at("lists"),
    },
    bin,
    program,
    calls: async () =>
      (await readFile(at("calls"), "utf8")).split("\n").filter((line) => line !== ""),
    tree,
    offerKernel,
  };
}

async function kernelPackage(tree: string, release: string): Promise<void> {
  const modules = join(tree, "lib/modules", release);
  await mkdir(join(tree, "boot"), { recursive: true });
  await mkdir(modules, { recursive: true });
  await writeFile(join(tree, "boot", `vmlinuz-${release}`), "\x7fELF kernel");
  for (const { name } of GUEST_MODULES) {
    await writeFile(join(modules, `${name}.ko`), fakeModule({ depends: "", vermagic: release }));
  }
}

// A package brings the programs of its name here; without lists no package is known, as on a fresh container.
function aptGet(bin: string, lists: string): string {
  return `case "$*" in
  update*) touch ${lists}/archive_InRelease; exit 0;;
esac
test -e ${lists}/archive_InRelease || { echo "E: Unable to locate package" >&2; exit 100; }
case "$*" in
  *download-only*) ;;
  install*) for name; do
    case "$name" in
      qemu-system-x86) program=qemu-system-x86_64;;
      qemu-system-arm) program=qemu-system-aarch64;;
      xz-utils) program=xz;;
      *) continue;;
    esac
    echo "Setting up $name"; cp ${bin}/sh ${bin}/$program
  done;;
  *download*) for name; do
    case "$name" in linux-image-*|busybox-static) touch "$name.deb";; esac
  done;;
esac`;
}
