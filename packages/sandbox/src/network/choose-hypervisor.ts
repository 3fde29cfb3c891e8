import { VirgaError } from "@virga/vm";
import type { HypervisorName, HypervisorProbe } from "@virga/vm";
import type { OnProgress } from "../progress.ts";
import type { NetworkChoice } from "./guest-network.ts";

/** Who chooses a way of running VMs, and whom to tell. */
export interface Chooser {
  choose(wanted: HypervisorName | "auto"): HypervisorProbe;
  readonly onProgress: OnProgress;
}

/** Chooses a way of running VMs that can have this network. `UNSUPPORTED` where there is none; where `auto` is another one for it, that is told. */
export function chooseForNetwork(
  host: Chooser,
  wanted: HypervisorName | "auto",
  network: NetworkChoice,
): HypervisorProbe {
  if (network === "none") return host.choose(wanted);
  if (wanted === "cloud-hypervisor") {
    throw new VirgaError(
      "UNSUPPORTED",
      'Cloud Hypervisor cannot do this: network "internet"; on it that comes with network slots, which Virga does not have yet',
      {
        details: { driver: wanted, feature: "network" },
        hint: "Use QEMU (--hypervisor qemu), or no network.",
      },
    );
  }
  const chosen = host.choose("qemu");
  if (wanted === "auto" && host.choose("auto").name !== chosen.name) {
    host.onProgress('Using QEMU: with Cloud Hypervisor there is no network "internet" yet');
  }
  return chosen;
}
