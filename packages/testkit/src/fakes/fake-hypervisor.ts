import { mkdirSync, mkdtempSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { FAKE_FILES, type Behaviour, type FakeName } from "./behaviour.ts";
import { readCalls, type CallEvent } from "./call-log.ts";

/** A fake hypervisor: a program that can be given as a VM's `binary`. */
export interface FakeHypervisor {
  readonly name: FakeName;
  /** The program. */
  readonly binary: string;
  /** Changes how it behaves, running processes included. */
  set(behaviour: Behaviour): void;
  /** All control calls its processes got so far, in order. */
  calls(): CallEvent[];
  /** What it was started for only to be asked, in order: `--version`, `-object memory-backend-file,help`. */
  questions(): string[];
}

const programs: Readonly<Record<FakeName, string>> = {
  "cloud-hypervisor": "./fake-cloud-hypervisor",
  qemu: "./fake-qemu",
};

const versions: Readonly<Record<FakeName, string>> = {
  "cloud-hypervisor": "v53.0",
  qemu: "7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)",
};

const versionWords: Readonly<Record<FakeName, string>> = {
  "cloud-hypervisor": "cloud-hypervisor",
  qemu: "QEMU emulator version",
};

/**
 * Makes a fake hypervisor in a new folder of `directory` (which the caller removes). Its process is `node` running the fake of that name; what it can
 * be asked without starting a machine is answered by a shell, because starting node for it would double what each test costs.
 */
export function fakeHypervisor(options: {
  readonly name: FakeName;
  readonly directory: string;
  readonly behaviour?: Behaviour;
}): FakeHypervisor {
  const { name } = options;
  const directory = mkdtempSync(join(options.directory, `${name}-`));
  const binary = join(directory, name === "qemu" ? "qemu-system-x86_64" : name);
  let answers = "";
  const set = (behaviour: Behaviour): void => {
    replace(join(directory, FAKE_FILES.behaviour), JSON.stringify(behaviour));
    const version = versionScript(name, behaviour);
    const options = memoryFileOptions(behaviour);
    if (version + options === answers) return;
    answers = version + options;
    replace(join(directory, FAKE_FILES.version), version);
    replace(join(directory, FAKE_FILES.options), options);
    // What a program answered may be remembered by its inode: another answer is another program.
    replace(binary, wrapper(name, directory), 0o755);
  };
  writeFileSync(join(directory, FAKE_FILES.calls), "");
  const questions = join(directory, FAKE_FILES.questions);
  writeFileSync(questions, "");
  set(options.behaviour ?? {});
  return {
    name,
    binary,
    set,
    calls: () => readCalls(directory),
    questions: () => readFileSync(questions, "utf8").split("\n").slice(0, -1),
  };
}

/** A running fake may read at any moment: it must see the old file or the new one, whole. */
function replace(path: string, text: string, mode = 0o644): void {
  writeFileSync(`${path}.new`, text, { mode });
  renameSync(`${path}.new`, path);
}

function wrapper(name: FakeName, directory: string): string {
  const extension = extname(fileURLToPath(import.meta.url));
  const program = fileURLToPath(new URL(`${programs[name]}${extension}`, import.meta.url));
  const cache = fileURLToPath(new URL("../../node_modules/.cache/fakes", import.meta.url));
  mkdirSync(cache, { recursive: true });
  const answer = (file: string): string =>
    `echo "$*" >>${quote(join(directory, FAKE_FILES.questions))}; exec /bin/sh ${quote(join(directory, file))}`;
  return `#!/bin/sh
case " $* " in
  *" --version "*|*" -V "*) ${answer(FAKE_FILES.version)};;
  *" memory-backend-file,help "*) ${answer(FAKE_FILES.options)};;
esac
NODE_COMPILE_CACHE=${quote(cache)} NODE_OPTIONS= exec ${quote(process.execPath)} --no-warnings ${quote(program)} ${quote(directory)} "$@"
`;
}

function versionScript(name: FakeName, behaviour: Behaviour): string {
  const version = behaviour.version ?? versions[name];
  const faults = {
    garbage: "head -c 4096 /dev/urandom",
    exit: "echo 'error while loading shared libraries: libfake.so' >&2; exit 1",
    hang: "exec sleep 3600",
  } as const;
  const print = `echo ${quote(`${versionWords[name]} ${version}`)}`;
  const body = behaviour.versionFault === undefined ? print : faults[behaviour.versionFault];
  return `# version ${version}\n${body}\n`;
}

/** As QEMU 7.2 lists them, of those that matter; newer ones have `rom` too. */
function memoryFileOptions({ romOff = false }: Behaviour): string {
  const lines = [
    "memory-backend-file options:",
    "  mem-path=<string>",
    "  readonly=<bool>",
    ...(romOff ? ["  rom=<OnOffAuto>        - Whether to create Read Only Memory (ROM)"] : []),
    "  share=<bool>           - Mark the memory as private to QEMU or shared",
    "  size=<int>             - Size of the memory region (ex: 500M)",
  ];
  return `cat <<'END'\n${lines.join("\n")}\nEND\n`;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
