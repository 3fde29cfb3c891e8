import type { Home } from "../home.ts";
import type { SetupMachine } from "../setup/setup-context.ts";

/** One fact about this machine, judged. */
export interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
  /** What to do about it: a command or a sentence. */
  readonly fix?: string;
}

/** What checks look at. Everything that differs between machines comes through here. */
export interface DoctorContext {
  readonly home: Home;
  readonly machine: SetupMachine;
  /** The root of the file system that is looked at; `/` but in tests. */
  readonly root: string;
  readonly nodeVersion: string;
  /** Processor as Node names it: `x64`, `arm64`. */
  readonly processor: string;
  /** `uname -r`. */
  readonly kernelRelease: string;
  /** `uname -v`: Debian puts the real version there. */
  readonly kernelVersion: string;
  readonly uid: number;
}

/** A check as data. An essential one that fails means that no VM can run; another limits what VMs can do or tells a risk. */
export interface CheckDefinition {
  readonly name: string;
  readonly essential: boolean;
  run(context: DoctorContext): Promise<Omit<Check, "name">>;
}
