import type { Command } from "commander";
import { addVariable, guestDirectory } from "../run/parse-values.ts";
import { examples } from "../output/examples.ts";
import type { JsonFlag } from "../output/print-json.ts";
import type { BuildFlags } from "./image/build.ts";
import type { PullFlags } from "./image/pull.ts";

/** Adds `virga image` with its commands; `done` is told each one's exit code. Each is loaded when it is run. */
export function addImageCommands(program: Command, done: (exitCode: number) => void): void {
  const image = program
    .command("image")
    .description("make, list and remove what sandboxes hold")
    .addHelpText("after", examples("virga image pull debian:12", "virga image ls"));
  image
    .command("build")
    .description("make an image of a directory or a tar file (plain, gzip, xz or zstd)")
    .argument("<name>", "name of the image; an image of that name loses it")
    .argument("[command...]", "what runs when no command is named")
    .requiredOption("--from <path>", "the root file system: a directory or a tar file")
    .option("-u, --user <user>", "who commands run as, by name or number", "")
    .option("-w, --workdir <dir>", "directory in which commands start", guestDirectory, "/")
    .option(
      "-e, --env <k=v>",
      "set a variable for commands (repeatable)",
      addVariable(process.env),
      {},
    )
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      examples(
        "virga image build tools --from ./rootfs",
        "virga image build web --from rootfs.tar.zst -w /srv -e PORT=80 -- /srv/serve",
      ),
    )
    .action(async (name: string, command: readonly string[], flags: BuildFlags) => {
      const { imageBuild } = await import("./image/build.ts");
      done(await imageBuild(name, command, flags));
    });
  image
    .command("pull")
    .description("pull a container image from a registry or a file")
    .argument("<ref>", "its name, or oci:DIR[:TAG], oci-archive:FILE, docker-archive:FILE[:NAME]")
    .option("--name <name>", "name of the image (default: what REF says)")
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      examples("virga image pull debian:12", "virga image pull oci:./layout:v1 --name app"),
    )
    .action(async (reference: string, flags: PullFlags) => {
      const { imagePull } = await import("./image/pull.ts");
      done(await imagePull(reference, flags));
    });
  image
    .command("ls")
    .description("list images")
    .option("--json", "print a JSON array")
    .addHelpText("after", examples("virga image ls", "virga image ls --json | jq '.[].names'"))
    .action(async (flags: JsonFlag) => {
      const { imageLs } = await import("./image/ls.ts");
      done(await imageLs(flags.json === true));
    });
  image
    .command("info")
    .description("tell what an image is and what commands in it start with")
    .argument("<image>", "name, digest, or the beginning of a digest")
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      examples("virga image info debian", "virga image info 4f2c --json | jq .user"),
    )
    .action(async (name: string, flags: JsonFlag) => {
      const { imageInfo } = await import("./image/info.ts");
      done(await imageInfo(name, flags.json === true));
    });
  image
    .command("rm")
    .description("remove a name, and the image when it has no other; by digest, all of it")
    .argument("<image...>", "names or digests")
    .option("--json", "print a JSON array")
    .addHelpText("after", examples("virga image rm tools", "virga image rm tools web"))
    .action(async (names: readonly string[], flags: JsonFlag) => {
      const { imageRm } = await import("./image/rm.ts");
      done(await imageRm(names, flags.json === true));
    });
}
