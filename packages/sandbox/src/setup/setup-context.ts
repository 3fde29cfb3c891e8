import type { Home } from "../home.ts";
import type { NativeSources } from "./native.ts";

/** Files the user gives instead of the distribution's packages. */
export interface GivenFiles {
  readonly kernel?: string;
  /** The kernel's `lib/modules/<release>` directory. */
  readonly modules?: string;
  readonly busybox?: string;
}

/** What kind of machine set-up runs on. */
export interface SetupMachine {
  /** Whether packages may be installed: this process is root. */
  readonly root: boolean;
  readonly nativeSources: NativeSources;
  /** Where apt keeps its lists. */
  readonly listsDirectory?: string;
}

/** What every step of set-up has at hand. */
export interface SetupContext {
  readonly home: Home;
  readonly given: GivenFiles;
  readonly machine: SetupMachine;
  readonly signal: AbortSignal | undefined;
  /** Tells a line of progress of the running step. */
  readonly progress: (line: string) => void;
}
