import { VirgaError, virgaCommand } from "@virga/vm";
import { installCommand } from "./packages.ts";
import type { Requirement } from "./requirements.ts";

/** What a machine lacks. */
export interface Lacks {
  readonly requirements: readonly Requirement[];
  /** What set-up would make, as nouns. */
  readonly things: readonly string[];
  /** Options by which the user can give what only apt could fetch. */
  readonly instead: readonly string[];
  /** Options by which he gave something already. */
  readonly given: readonly string[];
}

/** Names of the Debian packages, each once. */
export function packageNames(requirements: readonly Requirement[]): string[] {
  return [...new Set(requirements.map((requirement) => requirement.package))];
}

/** The sentence that says what is missing. */
export function lacksText({ requirements, things }: Lacks): string {
  const programs = requirements.map(({ name, purpose }) => `${name} (to ${purpose})`);
  return [...programs, ...things].join(", ");
}

/** `SETUP_NEEDED`: what is missing, why it is not set up, and the exact command or options that help. */
export function setupNeeded(
  lacks: Lacks,
  why: "forbidden" | "not-root" | "no-apt" | "declined",
): VirgaError {
  const packages = packageNames(lacks.requirements);
  const command = packages.length > 0 ? installCommand(packages) : undefined;
  return new VirgaError("SETUP_NEEDED", `This machine lacks ${lacksText(lacks)}; ${reasons[why]}`, {
    details: {
      packages,
      missing: [...lacks.things],
      instead: [...lacks.instead],
      ...(command && { command }),
    },
    hint: hintOf(lacks, why, command),
  });
}

const reasons = {
  forbidden: "VIRGA_SETUP=never forbids to set it up",
  "not-root": "only root can install packages",
  "no-apt": "it has no apt to fetch it with",
  declined: "the installation was declined",
};

function hintOf(lacks: Lacks, why: keyof typeof reasons, command: string | undefined): string {
  if (why === "forbidden") return `Run: ${virgaCommand("setup")}`;
  if (why !== "no-apt") return `Run: ${command ?? virgaCommand("setup")}`;
  const parts: string[] = [];
  if (lacks.requirements.length > 0) {
    parts.push(
      `Install ${lacks.requirements.map(({ name }) => name).join(", ")} with your system's package manager.`,
    );
  }
  if (lacks.instead.length > 0) {
    const options = [...lacks.given, ...lacks.instead].join(" ");
    parts.push(`Run: ${virgaCommand(`setup ${options}`)}`);
  }
  return parts.join(" ");
}
