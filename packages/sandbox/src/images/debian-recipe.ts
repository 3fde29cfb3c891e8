import type { ImageSettings } from "./image-record.ts";

/** What commands in it start with. */
export const DEBIAN_SETTINGS: ImageSettings = {
  user: "user",
  workdir: "/home/user",
  environment: {
    PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    LANG: "C.UTF-8",
  },
  command: ["/bin/bash"],
};

const SUITE = "bookworm";
const PACKAGES = [
  "bash",
  "ca-certificates",
  "coreutils",
  "curl",
  "git",
  "python3",
  "sudo",
  // Without it sudo looks in vain for an address of the machine's own name.
  "libnss-myhostname",
];
/** Documentation that nobody reads in there; licences stay. */
const DPKG_OPTIONS = [
  "path-exclude=/usr/share/man/*",
  "path-exclude=/usr/share/locale/*",
  "path-exclude=/usr/share/doc/*",
  "path-include=/usr/share/doc/*/copyright",
];
/** Run with the new root as `$1`. What is this machine's own, and what each sandbox gets of its own, is not in it. */
const CUSTOMIZE = [
  'chroot "$1" useradd --create-home --uid 1000 --user-group --shell /bin/bash user',
  'echo "user ALL=(ALL:ALL) NOPASSWD: ALL" > "$1/etc/sudoers.d/user"',
  'chmod 440 "$1/etc/sudoers.d/user"',
  'printf "127.0.0.1 localhost\\n::1 localhost\\n" > "$1/etc/hosts"',
  ': > "$1/etc/resolv.conf"',
  ': > "$1/etc/machine-id"',
  'rm -f "$1/etc/hostname"',
];

/** Arguments of mmdebstrap that make the root file system as the tar file `target`, of packages of `mirror` or of Debian's own servers. */
export function debianArguments(target: string, mirror: string | undefined): string[] {
  return [
    "--variant=minbase",
    `--include=${PACKAGES.join(",")}`,
    ...DPKG_OPTIONS.map((option) => `--dpkgopt=${option}`),
    ...CUSTOMIZE.map((command) => `--customize-hook=${command}`),
    SUITE,
    target,
    ...(mirror === undefined || mirror === "" ? [] : [mirror]),
  ];
}
