/** The guest's memory as a file. */
export interface MemoryFile {
  readonly path: string;
  readonly shared: boolean;
  /** Opened for reading only, and yet memory the guest can write to. */
  readonly readonly: boolean;
}

/** What a fake QEMU was told on its command line. */
export interface QemuOptions {
  readonly qmpSockets: readonly string[];
  /** Sockets of the guest's ports. */
  readonly guestPorts: readonly string[];
  readonly uuid: string;
  readonly memoryBytes: number;
  readonly memoryFile: MemoryFile | undefined;
  readonly disks: readonly string[];
  /** Files that must exist: kernel and initramfs. */
  readonly payload: readonly string[];
  readonly consoleFile: string | undefined;
  readonly startsStopped: boolean;
  readonly incoming: string | undefined;
  readonly hasBalloon: boolean;
  readonly exitsOnReboot: boolean;
  /** Exit code after the guest's panic. */
  readonly panicCode: 0 | 1;
  /** Trace events that go to the log. */
  readonly traces: ReadonlySet<string>;
  readonly pidFile: string | undefined;
}

const SWITCHES = new Set([
  "-S",
  "-nodefaults",
  "-no-user-config",
  "-nographic",
  "-no-reboot",
  "-no-shutdown",
  "-no-hpet",
  "-enable-kvm",
]);
const VALUED = new Set([
  "-M",
  "-machine",
  "-accel",
  "-cpu",
  "-smp",
  "-m",
  "-object",
  "-kernel",
  "-initrd",
  "-append",
  "-drive",
  "-blockdev",
  "-device",
  "-chardev",
  "-mon",
  "-qmp",
  "-uuid",
  "-name",
  "-incoming",
  "-serial",
  "-sandbox",
  "-netdev",
  "-global",
  "-display",
  "-vga",
  "-monitor",
  "-parallel",
  "-rtc",
  "-action",
  "-pidfile",
  "-D",
  "-d",
  "-msg",
  "-bios",
  "-L",
  "-boot",
  "-nic",
  "-no-fd-bootchk",
  "-overcommit",
  "-add-fd",
  "-watchdog-action",
  "-trace",
  "-runas",
  "-chroot",
]);

type Properties = ReadonlyMap<string, string>;

/** Reads a command line as QEMU would; throws with QEMU's kind of sentence on what it would refuse. `romOff`: whether it knows `rom=off`. */
export function parseQemuOptions(
  words: readonly string[],
  { romOff = false }: { readonly romOff?: boolean | undefined } = {},
): QemuOptions {
  const values = new Map<string, string[]>();
  for (let i = 0; i < words.length; i++) {
    const word = (words[i] ?? "").replace(/^--/, "-");
    if (SWITCHES.has(word)) {
      values.set(word, []);
      continue;
    }
    const value = words[++i];
    if (!VALUED.has(word)) throw new Error(`${word}: invalid option`);
    if (value === undefined) throw new Error(`${word}: requires an argument`);
    values.set(word, [...(values.get(word) ?? []), value]);
  }
  const all = (name: string): Properties[] => (values.get(name) ?? []).map(properties);
  const one = (name: string): string | undefined => values.get(name)?.at(-1);
  const chardevs = new Map(all("-chardev").map((chardev) => [chardev.get("id") ?? "", chardev]));
  const devices = all("-device");
  const driven = (driver: string): Properties[] =>
    devices.filter((device) => (device.get("") ?? "").startsWith(driver));
  const pathOf = (id: string | undefined): string[] => {
    const chardev = chardevs.get(id ?? "");
    if (chardev === undefined) throw new Error(`chardev ${id} not found`);
    const path = chardev.get("path");
    return path === undefined ? [] : [path];
  };
  const serial = one("-serial");
  const memory = all("-object").find((object) => object.get("") === "memory-backend-file");
  const rom = memory?.get("rom");
  if (rom !== undefined && !romOff) throw new Error("-object: Invalid parameter 'rom'");
  const memoryPath = memory?.get("mem-path");
  return {
    qmpSockets: [
      ...all("-qmp").map((monitor) => (monitor.get("") ?? "").replace(/^unix:/, "")),
      ...all("-mon").flatMap((monitor) => pathOf(monitor.get("chardev") ?? monitor.get(""))),
    ],
    guestPorts: driven("virtserialport").flatMap((port) => pathOf(port.get("chardev"))),
    uuid: one("-uuid") ?? "00000000-0000-0000-0000-000000000000",
    memoryBytes: sizeOf((all("-m")[0]?.get("size") ?? all("-m")[0]?.get("")) || "128"),
    memoryFile:
      memoryPath === undefined
        ? undefined
        : {
            path: memoryPath,
            shared: memory?.get("share") === "on",
            readonly: memory?.get("readonly") === "on" && rom === "off",
          },
    disks: [
      ...all("-drive").flatMap((drive) => drive.get("file") ?? []),
      ...all("-blockdev").flatMap(
        (drive) => drive.get("filename") ?? drive.get("file.filename") ?? [],
      ),
    ],
    payload: [one("-kernel"), one("-initrd")].filter((path) => path !== undefined),
    consoleFile: consoleFile(serial, driven("virtconsole"), chardevs),
    startsStopped: values.has("-S"),
    incoming: one("-incoming"),
    hasBalloon: driven("virtio-balloon").length > 0,
    exitsOnReboot: values.has("-no-reboot") || (one("-action") ?? "").includes("reboot=shutdown"),
    panicCode: (one("-action") ?? "").includes("panic=exit-failure") ? 1 : 0,
    traces: new Set(all("-trace").map((trace) => trace.get("enable") ?? trace.get("") ?? "")),
    pidFile: one("-pidfile"),
  };
}

/** `driver,key=value,…`: the first word is under the empty key when it has no key of its own; `,,` is a comma. JSON is taken as its top-level strings. */
function properties(text: string): Properties {
  if (text.startsWith("{")) return jsonProperties(text);
  const parts = text
    .replaceAll(",,", "\0")
    .split(",")
    .map((part) => part.replaceAll("\0", ","));
  return new Map(
    parts.map((part, index) => {
      const equals = part.indexOf("=");
      if (equals < 0) return [index === 0 ? "" : part, index === 0 ? part : "on"];
      const key = part.slice(0, equals);
      return [
        index === 0 && (key === "driver" || key === "qom-type") ? "" : key,
        part.slice(equals + 1),
      ];
    }),
  );
}

function jsonProperties(text: string): Properties {
  const object = JSON.parse(text) as Record<string, unknown>;
  const found = new Map<string, string>();
  for (const [key, value] of Object.entries(object)) {
    const name = key === "driver" || key === "qom-type" ? "" : key;
    if (typeof value === "object" && value !== null) {
      for (const [inner, deep] of Object.entries(value)) found.set(`${key}.${inner}`, String(deep));
    } else found.set(name, value === true ? "on" : value === false ? "off" : String(value));
  }
  return found;
}

function consoleFile(
  serial: string | undefined,
  consoles: readonly Properties[],
  chardevs: ReadonlyMap<string, Properties>,
): string | undefined {
  if (serial?.startsWith("file:") === true) return serial.slice("file:".length);
  const id =
    serial?.startsWith("chardev:") === true ? serial.slice(8) : consoles[0]?.get("chardev");
  return id === undefined ? undefined : chardevs.get(id)?.get("path");
}

const UNITS: Readonly<Record<string, number>> = {
  "": 2 ** 20,
  B: 1,
  K: 2 ** 10,
  M: 2 ** 20,
  G: 2 ** 30,
};

function sizeOf(text: string): number {
  const match = /^(\d+)([BKMG]?)$/i.exec(text);
  const unit = UNITS[(match?.[2] ?? "").toUpperCase()];
  if (match === null || unit === undefined)
    throw new Error(`-m ${text}: Parameter 'size' expects a size value`);
  return Number(match[1]) * unit;
}
